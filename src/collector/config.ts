/** Configuration of the HTTP collector and of how events are batched on their way to it. */
import { z } from 'zod';

export const collectorConfig = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Base address of the collector. Without it, workers that use it fail.'),
  appId: z.string().default('sluice').describe('`aid` of every event that sets none.'),
  namespace: z.string().default('sluice').describe('`tna` of every event that sets none.'),
  batchEvents: z.int().min(1).max(10_000).default(200).describe('Most events of one request.'),
  batchBytes: z.int().min(1_000).max(1_000_000).default(500_000).describe('Most bytes of one request.'),
  batchAgeMs: z.int().min(0).max(10_000).default(10).describe('Longest wait of an event for companions.'),
  connections: z.int().min(1).max(256).default(4).describe('Requests under way at once.'),
  requestTimeoutMs: z.int().min(100).default(10_000).describe('A request without an answer is retried after this.'),
  deadlineMs: z
    .int()
    .min(100)
    .default(45_000)
    .describe("An event not accepted by then fails its attempt; keep it below the workers' timeoutMs."),
});
export type CollectorConfig = z.infer<typeof collectorConfig>;
