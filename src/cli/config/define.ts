/** What `sluice.config.ts` exports. The types come from the schemas; nothing is loaded or checked here. */
import type { z } from 'zod';
import type { configSchema } from './schema.ts';

/** The configuration as a user writes it: everything may be left out. */
export type ConfigInput = z.input<typeof configSchema>;

/** Types the object given; `sluice` checks it when it reads the file. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
