/**
 * `sluice produce`: one message, a file of lines, or stdin. Every line is acked, or named with what is wrong with it;
 * a bad line does not keep the others back. What became of lines when Kafka or Redis went away is said too.
 */
import { createReadStream, existsSync } from 'node:fs';
import { messageOf, SluiceError } from '../errors.ts';
import { DEFAULT_QUEUE } from '../job/place.ts';
import { createProducer, type Producer } from '../producer/producer.ts';
import type { LoadedSchemas } from '../schema/load.ts';
import { suggestion } from '../suggest.ts';
import { type Config, DEFAULT_TOPIC } from './config/schema.ts';
import { type CommonFlags, createContext, schemasFor, workersFor } from './context.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { printJson } from './output.ts';
import { type Counts, eventsOf, linesOf, produceLines } from './produce-lines.ts';

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
  const source = await inputOf(flags);
  const { config } = await createContext(flags, 'produce');
  const schemas = schemasFor(config);
  if (type !== undefined) schemas.codec(type);
  const producer = await producerFor(via as 'kafka' | 'redis', type, flags, config, schemas);
  const counts: Counts = { acked: 0, refused: 0, unknown: 0 };
  try {
    await produceLines(producer, eventsOf(source, type, optionsOf(flags), counts), counts);
    return codeOf(counts);
  } catch (error) {
    process.stderr.write(`sluice: ${messageOf(error)}\n`);
    return exitCodeOf(error);
  } finally {
    printJson({ version: SHAPE_VERSION, ...counts });
    await producer.close().catch(() => undefined);
  }
}

function codeOf({ acked, refused }: Counts): number {
  if (refused === 0) return EXIT.ok;
  return acked > 0 ? EXIT.partial : EXIT.failed;
}

async function inputOf({ json, file }: ProduceFlags): Promise<AsyncIterable<string>> {
  if (json !== undefined && file !== undefined) throw new SluiceError('USAGE', '--json and --file: give one of them');
  if (json !== undefined) return linesOf(one(json.replaceAll('\n', ' ')));
  if (file === undefined) return linesOf(process.stdin.setEncoding('utf8'));
  if (!existsSync(file)) throw new SluiceError('USAGE', `--file: ${file} is not there`);
  return linesOf(createReadStream(file, 'utf8'));
}

async function* one(text: string): AsyncGenerator<string> {
  yield text;
}

async function producerFor(
  via: 'kafka' | 'redis',
  type: string | undefined,
  flags: ProduceFlags,
  config: Config,
  schemas: LoadedSchemas,
): Promise<Producer> {
  const topic = topicOf(config, flags.topic);
  if (via === 'kafka') warnOfTopic(config, topic);
  const redis = via === 'redis' ? await redisOf(config, schemas, type, flags.queue) : undefined;
  const settings = { via, topic, kafka: config.kafka, workers: config.workers, schemas };
  return createProducer({ ...settings, ...(redis !== undefined && { redis }) });
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
async function redisOf(config: Config, schemas: LoadedSchemas, type: string | undefined, asked: string | undefined) {
  const workers = asked !== undefined || type === undefined ? undefined : await workersFor(config, schemas);
  const queue = asked ?? workers?.get(type ?? '')?.queue ?? DEFAULT_QUEUE;
  return config.redis[config.queues[queue]?.redis ?? 'main'] ?? {};
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
