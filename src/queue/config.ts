/** Configuration of BullMQ queues, each on its own, and of the Sidekiq that shares its Redis with them or has one. */
import { z } from 'zod';
import { DIALECTS } from '../job/sidekiq-job.ts';

/** A queue that is not configured lives on the Redis `main` with these defaults. */
export const queueConfig = z.strictObject({
  redis: z.string().default('main').describe('Which Redis holds the queue.'),
  concurrency: z
    .int()
    .min(1)
    .max(10_000)
    .default(50)
    .describe('Jobs that one worker process runs at once; several hundred where they wait, as for the collector.'),
  lean: z
    .boolean()
    .default(false)
    .describe(
      "Only Sluice's own hosts run this queue: attempts and backoff, which its workers' definitions say, and what is kept are not written into each job from Kafka. Saves 130 to 280 bytes a job.",
    ),
});
export type QueueConfig = z.infer<typeof queueConfig>;

export const sidekiqConfig = z.strictObject({
  redis: z.string().default('main').describe('Which Redis Sidekiq uses; the database is in its address.'),
  dialect: z
    .enum(DIALECTS)
    .default('7')
    .describe('How times are written: "7" as Sidekiq 6 and 7 do, in seconds; "8" as Sidekiq 8 does, in milliseconds.'),
  concurrency: z
    .int()
    .min(1)
    .max(10_000)
    .default(25)
    .describe('Jobs of Sidekiq queues that one worker process runs at once.'),
});
export type SidekiqConfig = z.infer<typeof sidekiqConfig>;
