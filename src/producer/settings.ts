/**
 * Where a producer sends to: what its caller says, then the environment (SLUICE_VIA, KAFKA_BROKERS, REDIS_URL), then
 * defaults. The one place outside the command line that reads the environment: a producer lives in programs that
 * have no configuration of Sluice's, and is to be turned from Kafka to Redis and back without a change of code.
 */
import { SluiceError } from '../errors.ts';
import { DIALECTS, type Dialect } from '../job/sidekiq-job.ts';
import { type KafkaConfig, kafkaConfig } from '../kafka/config.ts';
import { addressProblem } from '../redis/address.ts';
import { type RedisConfig, redisConfig } from '../redis/config.ts';
import type { LoadedSchemas } from '../schema/load.ts';
import { suggestion } from '../suggest.ts';
import { TOPIC_NAME } from './options.ts';

export const DEFAULT_SIDEKIQ_TOPIC = 'sluice.sidekiq';

/** Where things go, whatever they are. */
interface Whereabouts {
  /** Default: SLUICE_VIA, or `kafka`. */
  readonly via?: 'kafka' | 'redis';
  readonly kafka?: Partial<KafkaConfig>;
  readonly redis?: Partial<RedisConfig>;
}

export interface ProducerSettings extends Whereabouts {
  readonly target?: 'bullmq';
  /** Default: `sluice.jobs`. */
  readonly topic?: string;
  /** Folders of .proto files. Default: `proto` and `workers`. */
  readonly proto?: readonly string[];
  /** Folder of worker definitions, for the queue and the attempts of jobs that go by Redis. Default: `workers`. */
  readonly workers?: string;
  /** Schemas that are loaded already. */
  readonly schemas?: LoadedSchemas;
}

export interface SidekiqSettings extends Whereabouts {
  readonly target: 'sidekiq';
  /** One whose records are Sidekiq jobs (`record: 'sidekiq'`). Default: `sluice.sidekiq`. */
  readonly topic?: string;
  /** How times are written: `8` when Sidekiq 8 reads them. Default: `7`, for Sidekiq 6 and 7. */
  readonly dialect?: Dialect;
}

interface Place {
  readonly via: 'kafka' | 'redis';
  readonly topic: string;
  readonly kafka: KafkaConfig;
  readonly redis: RedisConfig;
}

export interface Settings extends Place {
  readonly proto: readonly string[];
  readonly workers: string;
}

export interface SettledSidekiq extends Place {
  readonly dialect: Dialect;
}

const COMMON = ['via', 'topic', 'target', 'kafka', 'redis'];
const OF_EVENTS = [...COMMON, 'proto', 'workers', 'schemas'];
const OF_SIDEKIQ = [...COMMON, 'dialect'];

export function settle(given: ProducerSettings): Settings {
  checkNames(given, OF_EVENTS);
  oneOf('target', given.target ?? 'bullmq', ['bullmq', 'sidekiq']);
  const { workers = 'workers' } = given;
  return { ...place(given, 'sluice.jobs'), proto: given.proto ?? ['proto', workers], workers };
}

export function settleSidekiq(given: SidekiqSettings): SettledSidekiq {
  checkNames(given, OF_SIDEKIQ);
  return { ...place(given, DEFAULT_SIDEKIQ_TOPIC), dialect: oneOf('dialect', given.dialect ?? '7', DIALECTS) };
}

function checkNames(given: object, names: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (!names.includes(name))
      throw wrong(`${name}: no such setting${suggestion(name, names)}; allowed: ${names.join(', ')}`);
  }
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const known = allowed.find((each) => each === value);
  if (known !== undefined) return known;
  const names = allowed.map((each) => JSON.stringify(each)).join(', ');
  throw wrong(`${name}: ${JSON.stringify(value)} is not allowed; allowed: ${names}`);
}

function place(given: Whereabouts & { readonly topic?: string }, usualTopic: string): Place {
  const { KAFKA_BROKERS, REDIS_URL, SLUICE_VIA } = process.env;
  const { topic = usualTopic } = given;
  const via = oneOf('via', given.via ?? SLUICE_VIA ?? 'kafka', ['kafka', 'redis']);
  if (!TOPIC_NAME.test(topic))
    throw wrong(`topic: ${JSON.stringify(topic)} is no topic name; allowed: letters, digits, ".", "_" and "-"`);
  return {
    via,
    topic,
    kafka: parse('kafka', () =>
      kafkaConfig.parse({
        ...(KAFKA_BROKERS && { brokers: KAFKA_BROKERS.split(',').map((broker) => broker.trim()) }),
        ...given.kafka,
      }),
    ),
    redis: parse('redis', () => {
      const redis = { ...(REDIS_URL && { url: REDIS_URL }), ...given.redis };
      checkAddress(redis.url, given.redis?.url === undefined ? 'redis.url (REDIS_URL)' : 'redis.url');
      return redisConfig.parse(redis);
    }),
  };
}

function checkAddress(url: unknown, setting: string): void {
  const problem = typeof url === 'string' ? addressProblem(setting, url) : undefined;
  if (problem !== undefined) throw wrong(problem);
}

function parse<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const issues = Reflect.get(Object(error), 'issues') as { path: PropertyKey[]; message: string }[] | undefined;
    throw wrong(
      (issues ?? []).map(({ path, message }) => `${[name, ...path].join('.')}: ${message}`).join('\n') || String(error),
    );
  }
}

function wrong(message: string): SluiceError {
  return new SluiceError('CONFIG', `createProducer: ${message}`);
}
