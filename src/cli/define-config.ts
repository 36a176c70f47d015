import type { ConfigInput } from './config-shape.ts';

/** Types a configuration file: `export default defineConfig({...})`. Checked when it is loaded. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
