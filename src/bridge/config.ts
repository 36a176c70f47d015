/** Configuration of one consumed topic. */
import { z } from 'zod';
import type { Event } from '../job/job.ts';

export const RECORD_KINDS = ['envelope', 'protobuf', 'json'] as const;

/** Names the queue of an event. */
export type QueueRule = string | ((event: Event) => string);

const queueRule = z.custom<QueueRule>(
  (value) => typeof value === 'function' || (typeof value === 'string' && value.length > 0),
  { error: 'a queue name, or a function from an event to one' },
);

export const topicConfig = z.strictObject({
  record: z
    .enum(RECORD_KINDS)
    .default('envelope')
    .describe(
      'What a record holds: a sluice.v1.Job, a bare protobuf message (also in registry framing), or proto3 JSON.',
    ),
  message: z.string().optional().describe('Message type of the records; needed for protobuf and json.'),
  queue: queueRule.optional().describe("Queue of the topic's jobs. Default: what the envelope or the worker says."),
  queues: z.array(z.string()).optional().describe('Every queue that a rule may name, when they are on several Redis.'),
  unknownFields: z
    .enum(['count', 'dead-letter'])
    .default('count')
    .describe('What to do with unknown fields in binary messages.'),
});
export type TopicConfig = z.infer<typeof topicConfig>;
