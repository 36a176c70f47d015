/** Configuration of one Redis and of the gate in front of it. */
import { z } from 'zod';
import { ADDRESS, unfitAddress } from './address.ts';

/** `'75%'` of maxmemory, or bytes. Without a maxmemory, percents are of the machine's memory. */
const threshold = z.union([
  z.int().positive(),
  z
    .string()
    .regex(/^\d{1,2}(\.\d+)?%$|^\d+(\.\d+)?(kb|mb|gb)$/i)
    .meta({ allowed: "a text such as '75%' or '512mb'" }),
]);

export const gateConfig = z.strictObject({
  closeAt: threshold
    .default('75%')
    .describe("Stop consuming at this used memory: '75%' of maxmemory, '512mb', or bytes."),
  openAt: threshold.default('65%').describe('Consume again below this used memory.'),
  closeAtDepth: z.int().positive().optional().describe('Stop consuming when one queue holds this many waiting jobs.'),
  openAtDepth: z
    .int()
    .nonnegative()
    .optional()
    .describe('Consume again when no queue holds more. Default: 80 % of closeAtDepth.'),
});
export type GateConfig = z.infer<typeof gateConfig>;

export const redisConfig = z.strictObject({
  url: z
    .string()
    .check(({ value, issues }) => {
      const kind = unfitAddress(value);
      if (kind !== undefined) issues.push({ code: 'custom', input: value, message: ADDRESS, params: { kind } });
    })
    .default('redis://127.0.0.1:6379')
    .describe('redis:// or rediss:// with user, password and database.'),
  prefix: z
    .string()
    .regex(/^[^:]+$/)
    .meta({ allowed: "a text without ':'" })
    .default('bull')
    .describe("BullMQ's key prefix."),
  gate: gateConfig.prefault({}),
});
export type RedisConfig = z.infer<typeof redisConfig>;
