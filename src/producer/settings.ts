/**
 * Where a producer sends to: what its caller says, then the environment (SLUICE_VIA, KAFKA_BROKERS, REDIS_URL), then
 * defaults. The one place outside the command line that reads the environment: a producer lives in programs that
 * have no configuration of Sluice's, and is to be turned from Kafka to Redis and back without a change of code.
 */
import { SluiceError } from '../errors.ts';
import { type KafkaConfig, kafkaConfig } from '../kafka/config.ts';
import { type RedisConfig, redisConfig } from '../redis/config.ts';
import type { LoadedSchemas } from '../schema/load.ts';
import { suggestion } from '../suggest.ts';
import { TOPIC_NAME } from './options.ts';

export interface ProducerSettings {
  /** Default: SLUICE_VIA, or `kafka`. */
  readonly via?: 'kafka' | 'redis';
  /** Default: `sluice.jobs`. */
  readonly topic?: string;
  /** Folders of .proto files. Default: `proto` and `workers`. */
  readonly proto?: readonly string[];
  /** Folder of worker definitions, for the queue and the attempts of jobs that go by Redis. Default: `workers`. */
  readonly workers?: string;
  readonly kafka?: Partial<KafkaConfig>;
  readonly redis?: Partial<RedisConfig>;
  /** Schemas that are loaded already. */
  readonly schemas?: LoadedSchemas;
}

export interface Settings {
  readonly via: 'kafka' | 'redis';
  readonly topic: string;
  readonly proto: readonly string[];
  readonly workers: string;
  readonly kafka: KafkaConfig;
  readonly redis: RedisConfig;
}

const NAMES = ['via', 'topic', 'proto', 'workers', 'kafka', 'redis', 'schemas'];

export function settle(given: ProducerSettings): Settings {
  for (const name of Object.keys(given)) {
    if (!NAMES.includes(name))
      throw wrong(`${name}: no such setting${suggestion(name, NAMES)}; allowed: ${NAMES.join(', ')}`);
  }
  const { KAFKA_BROKERS, REDIS_URL, SLUICE_VIA } = process.env;
  const via = given.via ?? SLUICE_VIA ?? 'kafka';
  if (via !== 'kafka' && via !== 'redis')
    throw wrong(`via: ${JSON.stringify(via)} is not allowed; allowed: "kafka", "redis"`);
  const { workers = 'workers', topic = 'sluice.jobs' } = given;
  if (!TOPIC_NAME.test(topic))
    throw wrong(`topic: ${JSON.stringify(topic)} is no topic name; allowed: letters, digits, ".", "_" and "-"`);
  return {
    via,
    topic,
    proto: given.proto ?? ['proto', workers],
    workers,
    kafka: parse('kafka', () =>
      kafkaConfig.parse({
        ...(KAFKA_BROKERS && { brokers: KAFKA_BROKERS.split(',').map((broker) => broker.trim()) }),
        ...given.kafka,
      }),
    ),
    redis: parse('redis', () => redisConfig.parse({ ...(REDIS_URL && { url: REDIS_URL }), ...given.redis })),
  };
}

function parse<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const issues = Reflect.get(Object(error), 'issues') as { path: PropertyKey[]; message: string }[] | undefined;
    throw wrong(
      (issues ?? []).map(({ path, message }) => `${[name, ...path].join('.')}: ${message}`).join('\n') || String(error),
    );
  }
}

function wrong(message: string): SluiceError {
  return new SluiceError('CONFIG', `createProducer: ${message}`);
}
