/** Configuration of one queue. A queue that is not configured lives on the Redis `main` with these defaults. */
import { z } from 'zod';

export const queueConfig = z.strictObject({
  redis: z.string().default('main').describe('Which Redis holds the queue.'),
  kind: z.enum(['bullmq']).default('bullmq').describe('The queue library whose format is written.'),
  concurrency: z.int().min(1).max(10_000).default(50).describe('Jobs that one worker process runs at once.'),
});
export type QueueConfig = z.infer<typeof queueConfig>;
