/** Configuration of the worker hosts. */
import { z } from 'zod';

export const workConfig = z.strictObject({
  processes: z
    .int()
    .min(1)
    .max(256)
    .default(1)
    .describe('Worker host processes that `sluice up` starts; `sluice work` starts one, or `--processes`.'),
  drainMs: z.int().min(0).default(25_000).describe('Time that running jobs get when a host is stopped.'),
});
