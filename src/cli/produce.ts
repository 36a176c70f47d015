/**
 * `sluice produce`: one message, a file of lines, or stdin. Every line is acked, or named with what is wrong with it;
 * a bad line does not keep the others back. What became of lines when Kafka or Redis went away is said too.
 */
import { createReadStream, existsSync } from 'node:fs';
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import { DEFAULT_QUEUE } from '../job/place.ts';
import { createProducer } from '../producer/producer.ts';
import type { ProducerSettings } from '../producer/settings.ts';
import type { LoadedSchemas } from '../schema/load.ts';
import { suggestion } from '../suggest.ts';
import type { LoadedConfig } from './config/load.ts';
import { type Config, DEFAULT_REDIS, DEFAULT_TOPIC } from './config/schema.ts';
import { type CommonFlags, createContext, schemasFor, workersFor } from './context.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { printJson } from './output.ts';
import { type Counts, eventsOf, linesOf, produceLines } from './produce-lines.ts';
import { kafkaHint, redisHint } from './whereabouts.ts';

const SHAPE_VERSION = 1;
const WAYS = ['kafka', 'redis'];

export interface ProduceFlags extends CommonFlags {
  readonly json?: string;
  readonly file?: string;
  readonly via?: string;
  readonly topic?: string;
  readonly key?: string;
  readonly queue?: string;
  readonly delay?: number;
  readonly attempts?: number;
  readonly priority?: number;
}

/** Without a type, every line is an event: `{"type": ..., "message": {...}, "key": ...}`. */
export async function produce(type: string | undefined, flags: ProduceFlags): Promise<number> {
  const via = flags.via ?? process.env.SLUICE_VIA ?? 'kafka';
  if (!WAYS.includes(via)) {
    throw new SluiceError('USAGE', `--via: "${via}" is not allowed${suggestion(via, WAYS)}; allowed: kafka, redis`);
  }
  const source = inputOf(flags);
  const { config, loaded } = await createContext(flags, 'produce');
  const schemas = schemasFor(config);
  if (type !== undefined) schemas.codec(type);
  const { settings, hint } = await wayOf(via as 'kafka' | 'redis', type, flags, loaded, schemas);
  const producer = createProducer({ ...settings, workers: config.workers, schemas });
  const counts: Counts = { acked: 0, refused: 0, unknown: 0 };
  sayWhatIsAwaited(type, flags);
  try {
    await produceLines(producer, eventsOf(source, type, optionsOf(flags), counts), counts);
    return codeOf(counts);
  } catch (error) {
    process.stderr.write(`sluice: ${messageOf(error)}\n`);
    if (isSluiceError(error, 'UNREACHABLE')) process.stderr.write(`${hint}\n`);
    return exitCodeOf(error);
  } finally {
    printJson({ version: SHAPE_VERSION, ...counts });
    await producer.close().catch(() => undefined);
  }
}

/** A terminal would look as if the command hung. */
function sayWhatIsAwaited(type: string | undefined, { json, file }: ProduceFlags): void {
  if (json !== undefined || file !== undefined || !process.stdin.isTTY) return;
  const line = type === undefined ? '{"type": ..., "message": {...}}' : `one ${type} as JSON`;
  process.stderr.write(`reading from the terminal: each line ${line}; Ctrl-D ends\n`);
}

function codeOf({ acked, refused }: Counts): number {
  if (acked + refused === 0) throw new SluiceError('USAGE', 'nothing to produce: no line came; see --json and --file');
  if (refused === 0) return EXIT.ok;
  return acked > 0 ? EXIT.partial : EXIT.failed;
}

function inputOf({ json, file }: ProduceFlags): AsyncIterable<string> {
  if (json !== undefined && file !== undefined) throw new SluiceError('USAGE', '--json and --file: give one of them');
  if (json !== undefined) return linesOf(one(json.replaceAll('\n', ' ')));
  if (file === undefined) return linesOf(process.stdin.setEncoding('utf8'));
  if (!existsSync(file)) throw new SluiceError('USAGE', `--file: ${file} is not there`);
  return linesOf(createReadStream(file, 'utf8'));
}

async function* one(text: string): AsyncGenerator<string> {
  yield text;
}

/** Where the events go, and what to say when nobody is there. */
async function wayOf(
  via: 'kafka' | 'redis',
  type: string | undefined,
  flags: ProduceFlags,
  loaded: LoadedConfig,
  schemas: LoadedSchemas,
): Promise<{ readonly settings: ProducerSettings; readonly hint: string }> {
  const { config } = loaded;
  const topic = topicOf(config, flags.topic);
  if (via === 'kafka') {
    warnOfTopic(config, topic);
    return { settings: { via, topic, kafka: config.kafka }, hint: kafkaHint(loaded) };
  }
  const name = await redisNameOf(config, schemas, type, flags.queue);
  return { settings: { via, topic, redis: config.redis[name] ?? {} }, hint: redisHint(loaded, name) };
}

/** The topic asked for, or the one of envelopes that is consumed. Events are written as envelopes. */
function topicOf({ topics }: Config, asked: string | undefined): string {
  const envelopes = Object.keys(topics).filter((name) => topics[name]?.record === 'envelope');
  const topic = asked ?? (envelopes.includes(DEFAULT_TOPIC) ? DEFAULT_TOPIC : (envelopes[0] ?? DEFAULT_TOPIC));
  const known = topics[topic];
  if (known !== undefined && known.record !== 'envelope') {
    throw new SluiceError('USAGE', `--topic: ${topic} holds ${known.record} records; sluice produce writes envelopes`);
  }
  return topic;
}

/** Nothing becomes of events that nobody takes from Kafka. */
function warnOfTopic({ topics }: Config, topic: string): void {
  if (Object.hasOwn(topics, topic)) return;
  const names = Object.keys(topics);
  const hint = suggestion(topic, names) || `: ${names.join(', ')}`;
  process.stderr.write(`warning: ${topic} is not among the topics that are consumed${hint}\n`);
}

/** The Redis that holds the queue of these events. */
async function redisNameOf(
  config: Config,
  schemas: LoadedSchemas,
  type: string | undefined,
  asked: string | undefined,
) {
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
