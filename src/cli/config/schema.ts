/** The whole configuration: each folder's schema under its key. Unknown keys are refused everywhere. */
import { z } from 'zod';
import { topicConfig } from '../../bridge/config.ts';
import { collectorConfig } from '../../collector/config.ts';
import { dashboardConfig } from '../../dashboard/config.ts';
import { kafkaConfig } from '../../kafka/config.ts';
import { LOG_LEVELS } from '../../log.ts';
import { queueConfig, sidekiqConfig } from '../../queue/config.ts';
import { redisConfig } from '../../redis/config.ts';
import { workConfig } from '../../worker/config.ts';

export const DEFAULT_REDIS = 'main';
export const DEFAULT_TOPIC = 'sluice.jobs';

/** Kafka allows 249 characters; `.dlq` has to fit behind the name. */
const topicName = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,245}$/)
  .describe('A Kafka topic: letters, digits, ".", "_" and "-", up to 245 characters.');
const queueName = z
  .string()
  .regex(/^[^:{}\s]{1,200}$/)
  .describe('A queue name: up to 200 characters, no ":", "{", "}" or blanks.');
const redisName = z
  .string()
  .regex(/^[A-Za-z][\w-]{0,63}$/)
  .describe('A name for a Redis: a letter, then letters, digits, "_" and "-".');

export const configSchema = z.strictObject({
  kafka: kafkaConfig.prefault({}),
  redis: z
    .record(redisName, redisConfig)
    .prefault({ [DEFAULT_REDIS]: {} })
    .describe('Every Redis by a name of your choice; `main` is always there.'),
  queues: z
    .record(queueName, queueConfig)
    .prefault({})
    .describe('BullMQ queues that differ from the defaults, by name.'),
  sidekiq: sidekiqConfig.prefault({}),
  topics: z
    .record(topicName, topicConfig)
    .prefault({ [DEFAULT_TOPIC]: {} })
    .describe(
      'Every topic that is consumed, by name. A function is given what a record holds: `type`, `json` (a text), `key`, `headers`, `id` and `queue`; where it throws, the record becomes a dead letter.',
    ),
  collector: collectorConfig.prefault({}),
  work: workConfig.prefault({}),
  dashboard: dashboardConfig.prefault({}),
  workers: z.string().min(1).default('workers').describe('Folder of the workers.'),
  proto: z.array(z.string().min(1)).default(['proto']).describe('Folders of the .proto files.'),
  log: z
    .strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('Least level that is logged.') })
    .prefault({}),
});

/** The configuration as the program sees it: complete, checked, frozen. */
export type Config = z.infer<typeof configSchema>;
