/** The whole configuration: each folder's own shape, put together. */
import { z } from 'zod';
import { topicConfig } from '../bridge/config.ts';
import { collectorConfig } from '../collector/config.ts';
import { dashboardConfig } from '../dashboard/config.ts';
import { kafkaConfig } from '../kafka/config.ts';
import { LOG_LEVELS } from '../log.ts';
import { queueConfig } from '../queue/config.ts';
import { redisConfig } from '../redis/config.ts';
import { workConfig } from '../worker/config.ts';

const name = z.string().min(1).max(200);

export const configShape = z.strictObject({
  kafka: kafkaConfig.prefault({}),
  redis: z.record(name, redisConfig).default({}).describe('The Redis servers by name; `main` is always there.'),
  queues: z.record(name, queueConfig).default({}).describe('Settings of queues by name.'),
  topics: z.record(name, topicConfig).prefault({ 'sluice.jobs': {} }).describe('The consumed topics by name.'),
  collector: collectorConfig.prefault({}),
  work: workConfig.prefault({}),
  dashboard: dashboardConfig.prefault({}),
  workers: z.string().min(1).default('workers').describe('Folder of the worker files.'),
  proto: z
    .array(z.string().min(1))
    .default(['proto'])
    .describe('Folders of .proto files; the workers folder is searched too.'),
  log: z
    .strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('Least level that is logged.') })
    .prefault({}),
});

export type Config = z.output<typeof configShape>;
/** What a configuration file may hold: everything is optional. */
export type ConfigInput = z.input<typeof configShape>;
