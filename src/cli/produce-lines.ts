/**
 * The lines of `sluice produce`: each becomes an event that is acked, or is refused by its number and what is wrong
 * with it; none keeps its neighbours back. When Kafka or Redis fails, what may have arrived is counted as unknown.
 */
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import type { OutgoingEvent, Producer } from '../producer/producer.ts';

const EVENTS_AT_ONCE = 1_000;
/** Sent alone, so that one that is too large for the topic does not take others along. */
const LARGE_CHARACTERS = 100_000;

interface Line {
  readonly number: number;
  readonly event: OutgoingEvent;
  readonly isLarge: boolean;
}

export interface Counts {
  acked: number;
  refused: number;
  /** Lines that were on their way when the connection failed: some of them may have arrived. */
  unknown: number;
}

/** Split at line feeds only: U+2028 may stand inside a JSON string. */
export async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) yield part.replace(/\r$/, '');
  }
  if (rest !== '') yield rest.replace(/\r$/, '');
}

/** `common` is said of every event; without a type, a line says its own. */
export async function* eventsOf(
  source: AsyncIterable<string>,
  type: string | undefined,
  common: object,
  counts: Counts,
): AsyncGenerator<Line> {
  let number = 0;
  for await (const text of source) {
    number += 1;
    if (text.trim() === '') continue;
    try {
      const event = { ...common, ...eventOf(JSON.parse(text), type) };
      yield { number, event, isLarge: text.length > LARGE_CHARACTERS };
    } catch (error) {
      refuse(counts, number, error);
    }
  }
}

function eventOf(value: unknown, type: string | undefined): OutgoingEvent {
  if (type !== undefined) return { type, message: value };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SluiceError('INVALID_MESSAGE', 'without a type, a line is an object {"type": ..., "message": ...}');
  }
  const event = value as OutgoingEvent;
  if (typeof event.type !== 'string' || event.message === undefined) {
    const missing = typeof event.type !== 'string' ? 'type' : 'message';
    throw new SluiceError(
      'INVALID_MESSAGE',
      `${missing}: missing; without a type, a line names its own and holds "message"`,
    );
  }
  return event;
}

/** Rejects when Kafka or Redis fails; what was counted until then stands. */
export async function produceLines(producer: Producer, events: AsyncIterable<Line>, counts: Counts): Promise<void> {
  let batch: Line[] = [];
  for await (const line of events) {
    if (line.isLarge) {
      await sendOne(producer, line, counts);
      continue;
    }
    batch.push(line);
    if (batch.length < EVENTS_AT_ONCE) continue;
    await sendAll(producer, batch, counts);
    batch = [];
  }
  await sendAll(producer, batch, counts);
}

/** All at once when all are good. Nothing is sent of a call with a bad one, which is then found one by one. */
async function sendAll(producer: Producer, batch: readonly Line[], counts: Counts): Promise<void> {
  try {
    await producer.sendMany(batch.map(({ event }) => event));
    counts.acked += batch.length;
  } catch (error) {
    if (!isOfMessage(error)) throw lost(error, batch, counts);
    for (const line of batch) await sendOne(producer, line, counts);
  }
}

async function sendOne(producer: Producer, line: Line, counts: Counts): Promise<void> {
  try {
    await producer.sendMany([line.event]);
    counts.acked += 1;
  } catch (error) {
    if (!isOfMessage(error) && !isSluiceError(error, 'UNFIT')) throw lost(error, [line], counts);
    refuse(counts, line.number, error);
  }
}

/** Invalid, or of an unknown type: nothing was sent. */
function isOfMessage(error: unknown): boolean {
  return isSluiceError(error, 'INVALID_MESSAGE') || isSluiceError(error, 'SCHEMA');
}

function lost(error: unknown, batch: readonly Line[], counts: Counts): SluiceError {
  const code = isSluiceError(error) ? error.code : 'UNREACHABLE';
  const isUnsent = isSluiceError(error) && error.isUnsent;
  if (!isUnsent) counts.unknown += batch.length;
  const [first, last] = [batch[0]?.number, batch.at(-1)?.number];
  const lines = first === last ? `line ${first}` : `lines ${first} to ${last}`;
  const fate = isUnsent ? 'nothing was sent' : `${lines} may or may not have arrived; nothing after that was sent`;
  return new SluiceError(code, `${messageOf(error)}\n${fate}`, { cause: error, isUnsent });
}

function refuse(counts: Counts, number: number, error: unknown): void {
  counts.refused += 1;
  const what = error instanceof SyntaxError ? `no JSON: ${error.message}` : messageOf(error);
  process.stderr.write(`line ${number}: ${what}\n`);
}
