/** Configuration of one consumed topic. */
import { z } from 'zod';
import type { Event } from '../job/job.ts';

export const RECORD_KINDS = ['envelope', 'protobuf', 'json', 'sidekiq'] as const;

/** Answers a name for an event. */
export type NameRule = string | ((event: Event) => string);

function nameRule(allowed: string) {
  return z.custom<NameRule>((value) => typeof value === 'function' || (typeof value === 'string' && value.length > 0), {
    error: allowed,
  });
}

export const topicConfig = z.strictObject({
  record: z
    .enum(RECORD_KINDS)
    .default('envelope')
    .describe(
      'What a record holds: a sluice.v1.Job, a bare protobuf message (also in registry framing), proto3 JSON, or the JSON of a Sidekiq job.',
    ),
  message: z.string().optional().describe('Message type of the records; needed for protobuf and json.'),
  target: z.enum(['bullmq', 'sidekiq']).default('bullmq').describe('Whose jobs the records become.'),
  queue: nameRule('a queue name, or a function from an event to one')
    .optional()
    .describe("Queue of the topic's jobs. Default: what the record or the worker says."),
  queues: z.array(z.string()).optional().describe('Every queue that a rule may name, when they are on several Redis.'),
  class: nameRule('the name of a Ruby class, or a function from an event to one')
    .optional()
    .describe('For Sidekiq: the class that runs the messages.'),
  arguments: z
    .enum(['json', 'base64'])
    .default('json')
    .describe(
      'For Sidekiq: the one argument of a message, as an object (proto3 JSON) or as base64 of its binary form.',
    ),
  settle: z
    .enum(['enqueued', 'acknowledged'])
    .default('enqueued')
    .describe(
      'For Sidekiq: a record is finished when its job is in Redis, or when Ruby (with the middleware) or a worker here has run it.',
    ),
  lookBackMs: z
    .int()
    .positive()
    .default(900_000)
    .describe('For Sidekiq, settled when enqueued: how far `sluice replay` goes back.'),
  unknownFields: z
    .enum(['count', 'dead-letter'])
    .default('count')
    .describe('What to do with unknown fields in binary messages.'),
});
export type TopicConfig = z.infer<typeof topicConfig>;
