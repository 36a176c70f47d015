/**
 * The lines of `sluice produce`: each becomes an event or a Sidekiq job that is acked, or is refused by its number and
 * what is wrong with it; none keeps its neighbours back. When Kafka or Redis fails, what may have arrived is counted as unknown.
 */
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import type { OutgoingEvent } from '../producer/producer.ts';

const LINES_AT_ONCE = 1_000;
/** Sent alone, so that one that is too large for the topic does not take others along. */
const LARGE_CHARACTERS = 100_000;

export interface Line<T> {
  readonly number: number;
  readonly content: T;
  readonly isLarge: boolean;
}

/** All of a call, or nothing of it when something in it is invalid. */
type SendMany<T> = (all: readonly T[]) => Promise<unknown>;

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

/** Lines that are not blank, as they are. */
export async function* textsOf(source: AsyncIterable<string>): AsyncGenerator<Line<string>> {
  let number = 0;
  for await (const content of source) {
    number += 1;
    if (content.trim() !== '') yield { number, content, isLarge: content.length > LARGE_CHARACTERS };
  }
}

/** `common` is said of every event; without a type, a line says its own. */
export async function* eventsOf(
  source: AsyncIterable<string>,
  type: string | undefined,
  common: object,
  counts: Counts,
): AsyncGenerator<Line<OutgoingEvent>> {
  for await (const { content, ...line } of textsOf(source)) {
    try {
      yield { ...line, content: { ...common, ...eventIn(JSON.parse(content), type) } };
    } catch (error) {
      refuse(counts, line.number, error);
    }
  }
}

export function eventIn(value: unknown, type: string | undefined): OutgoingEvent {
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
export async function produceLines<T>(
  sendMany: SendMany<T>,
  lines: AsyncIterable<Line<T>>,
  counts: Counts,
): Promise<void> {
  let batch: Line<T>[] = [];
  for await (const line of lines) {
    if (line.isLarge) {
      await sendOne(sendMany, line, counts);
      continue;
    }
    batch.push(line);
    if (batch.length < LINES_AT_ONCE) continue;
    await sendAll(sendMany, batch, counts);
    batch = [];
  }
  await sendAll(sendMany, batch, counts);
}

/** All at once when all are good. Nothing is sent of a call with a bad one, which is then found one by one. */
async function sendAll<T>(sendMany: SendMany<T>, batch: readonly Line<T>[], counts: Counts): Promise<void> {
  try {
    await sendMany(batch.map(({ content }) => content));
    counts.acked += batch.length;
  } catch (error) {
    if (!isOfMessage(error)) throw lost(error, batch, counts);
    for (const line of batch) await sendOne(sendMany, line, counts);
  }
}

async function sendOne<T>(sendMany: SendMany<T>, line: Line<T>, counts: Counts): Promise<void> {
  try {
    await sendMany([line.content]);
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

function lost(error: unknown, batch: readonly Line<unknown>[], counts: Counts): SluiceError {
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
