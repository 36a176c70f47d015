/** What `sluice produce` makes of its lines, and where they go: events, or Sidekiq jobs. */
import { SluiceError } from '../errors.ts';
import { DEFAULT_QUEUE } from '../job/place.ts';
import { createProducer } from '../producer/producer.ts';
import type { LoadedSchemas } from '../schema/load.ts';
import type { LoadedConfig } from './config/load.ts';
import { type Config, DEFAULT_REDIS } from './config/schema.ts';
import { schemasFor, workersFor } from './context.ts';
import type { ProduceFlags } from './produce.ts';
import { type Counts, eventsOf, produceLines, textsOf } from './produce-lines.ts';
import { topicFor, warnOfTopic } from './produce-topic.ts';
import { kafkaHint, redisHint } from './whereabouts.ts';

export type Way = 'kafka' | 'redis';

export interface Outlet {
  /** What a line holds, for a person. */
  readonly line: string;
  /** What to say when nobody is there. */
  readonly hint: string;
  /** Rejects when Kafka or Redis fails; what was counted until then stands. */
  produce(lines: AsyncIterable<string>, counts: Counts): Promise<void>;
  close(): Promise<void>;
}

/** Without a type, every line is an event: `{"type": ..., "message": {...}, "key": ...}`. */
export async function eventOutlet(
  via: Way,
  type: string | undefined,
  flags: ProduceFlags,
  loaded: LoadedConfig,
): Promise<Outlet> {
  const { config } = loaded;
  const schemas = schemasFor(config);
  if (type !== undefined) schemas.codec(type);
  const redis = via === 'redis' ? await redisOf(config, schemas, type, flags.queue) : DEFAULT_REDIS;
  const { settings, hint } = via === 'redis' ? byRedis(redis, loaded) : byKafka('envelope', flags.topic, loaded);
  const producer = createProducer({ ...settings, workers: config.workers, schemas });
  return {
    line: type === undefined ? '{"type": ..., "message": {...}}' : `one ${type} as JSON`,
    hint,
    produce: (lines, counts) =>
      produceLines(producer.sendMany, eventsOf(lines, type, optionsOf(flags), counts), counts),
    close: () => producer.close(),
  };
}

/** Every line is a job in Sidekiq's JSON, which says itself what flags say of events. */
export function sidekiqOutlet(via: Way, type: string | undefined, flags: ProduceFlags, loaded: LoadedConfig): Outlet {
  const { sidekiq } = loaded.config;
  const [superfluous] = [
    ...(type === undefined ? [] : [type]),
    ...FLAGS_OF_EVENTS.filter((name) => Object.hasOwn(flags, name)).map((name) => `--${name}`),
  ];
  if (superfluous !== undefined) {
    throw new SluiceError(
      'USAGE',
      `--sidekiq: the job itself says its class, queue, time and retries; leave out ${superfluous}`,
    );
  }
  const { settings, hint } = via === 'redis' ? byRedis(sidekiq.redis, loaded) : byKafka('sidekiq', flags.topic, loaded);
  const producer = createProducer({ ...settings, target: 'sidekiq', dialect: sidekiq.dialect });
  return {
    line: '{"class": ..., "args": [...]}',
    hint,
    produce: (lines, counts) => produceLines(producer.performJson, textsOf(lines), counts),
    close: () => producer.close(),
  };
}

const FLAGS_OF_EVENTS = ['key', 'queue', 'delay', 'attempts', 'priority'];

/** Where the lines go, and what to say when nobody is there. */
function byRedis(name: string, loaded: LoadedConfig) {
  const via = 'redis' as const;
  return { settings: { via, redis: loaded.config.redis[name] ?? {} }, hint: redisHint(loaded, name) };
}

function byKafka(kind: 'envelope' | 'sidekiq', asked: string | undefined, loaded: LoadedConfig) {
  const { config } = loaded;
  const via = 'kafka' as const;
  const topic = topicFor(config, kind, asked);
  warnOfTopic(config, topic);
  return { settings: { via, topic, kafka: config.kafka }, hint: kafkaHint(loaded) };
}

/** The Redis that holds the queue of these events. */
async function redisOf(config: Config, schemas: LoadedSchemas, type: string | undefined, asked: string | undefined) {
  const workers = asked !== undefined || type === undefined ? undefined : await workersFor(config, schemas);
  const queue = asked ?? workers?.get(type ?? '')?.queue ?? DEFAULT_QUEUE;
  return config.queues[queue]?.redis ?? DEFAULT_REDIS;
}

function optionsOf({ key, queue, delay, attempts, priority }: ProduceFlags) {
  return {
    ...(key !== undefined && { key }),
    ...(queue !== undefined && { queue }),
    ...(delay !== undefined && { delayMs: delay }),
    ...(attempts !== undefined && { attempts }),
    ...(priority !== undefined && { priority }),
  };
}
