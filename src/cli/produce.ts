/** `sluice produce`: one message, a file of lines, or stdin. A bad line is named and the others are produced. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import { createProducer, type OutgoingEvent, type Producer } from '../producer/producer.ts';
import { type CommonFlags, createContext, schemasFor } from './context.ts';
import { EXIT } from './exit.ts';

const EVENTS_AT_ONCE = 1_000;
const SHAPE_VERSION = 1;

export interface ProduceFlags extends CommonFlags {
  readonly json?: string;
  readonly file?: string;
  readonly via: string;
  readonly topic: string;
  readonly key?: string;
  readonly queue?: string;
  readonly delay?: number;
  readonly attempts?: number;
  readonly priority?: number;
}

export async function produce(type: string | undefined, flags: ProduceFlags): Promise<number> {
  if (flags.via !== 'kafka' && flags.via !== 'redis')
    throw new SluiceError('USAGE', `--via: "${flags.via}" is not allowed; allowed: kafka, redis`);
  if (type === undefined)
    throw new SluiceError('USAGE', 'which message type? sluice produce acme.web.v1.PageView --json ...');
  const { config } = await createContext(flags, 'produce');
  const { via, topic } = flags;
  const schemas = schemasFor(config);
  schemas.codec(type);
  const producer = createProducer({
    via,
    topic,
    kafka: config.kafka,
    redis: config.redis.main ?? {},
    workers: config.workers,
    schemas,
  });
  try {
    const counts = await produceLines(producer, type, flags);
    process.stdout.write(`${JSON.stringify({ version: SHAPE_VERSION, ...counts })}\n`);
    if (counts.refused === 0) return EXIT.ok;
    return counts.acked > 0 ? EXIT.partial : EXIT.failed;
  } finally {
    await producer.close();
  }
}

async function produceLines(producer: Producer, type: string, flags: ProduceFlags) {
  const counts = { acked: 0, refused: 0 };
  let events: { line: number; event: OutgoingEvent }[] = [];
  let line = 0;
  for await (const text of lines(flags)) {
    line += 1;
    if (text.trim() === '') continue;
    try {
      events.push({ line, event: { ...optionsOf(flags), type, message: JSON.parse(text) as unknown } });
    } catch (error) {
      refuse(counts, line, error);
    }
    if (events.length < EVENTS_AT_ONCE) continue;
    await sendGood(producer, events, counts);
    events = [];
  }
  await sendGood(producer, events, counts);
  return counts;
}

type Counts = { acked: number; refused: number };

/** All at once when all are good; one bad message is found by sending one at a time. */
async function sendGood(
  producer: Producer,
  events: readonly { line: number; event: OutgoingEvent }[],
  counts: Counts,
): Promise<void> {
  try {
    await producer.sendMany(events.map(({ event }) => event));
    counts.acked += events.length;
  } catch (error) {
    if (!isSluiceError(error, 'INVALID_MESSAGE')) throw error;
    for (const { line, event } of events) await sendOne(producer, line, event, counts);
  }
}

async function sendOne(producer: Producer, line: number, event: OutgoingEvent, counts: Counts): Promise<void> {
  try {
    await producer.sendMany([event]);
    counts.acked += 1;
  } catch (error) {
    if (!isSluiceError(error, 'INVALID_MESSAGE')) throw error;
    refuse(counts, line, error);
  }
}

function refuse(counts: Counts, line: number, error: unknown): void {
  counts.refused += 1;
  process.stderr.write(`line ${line}: ${messageOf(error)}\n`);
}

function lines({ json, file }: ProduceFlags): AsyncIterable<string> | Iterable<string> {
  if (json !== undefined) return [json];
  return createInterface({
    input: file === undefined ? process.stdin : createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
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
