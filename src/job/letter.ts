/**
 * The form of a dead letter: the record as it was, with headers of ours beside its own. What is about one death is
 * dropped when the record is replayed; its history stays with it through every life.
 * Anybody may write to a dead-letter topic: what is not of this form reads as absent.
 */

export function letterTopic(topic: string): string {
  return `${topic}.dlq`;
}

/** What the names of all headers of ours begin with. */
export const OWN_HEADERS = 'sluice.';

/** About one death. Times are milliseconds since the epoch. */
export const LETTER = {
  /** One of REASONS. */
  reason: 'sluice.reason',
  /** For a person. */
  error: 'sluice.error',
  /** Of the last attempt, when it tells where the worker failed. */
  stack: 'sluice.stack',
  attempts: 'sluice.attempts',
  queue: 'sluice.queue',
  message: 'sluice.message',
  topic: 'sluice.topic',
  partition: 'sluice.partition',
  offset: 'sluice.offset',
  generation: 'sluice.generation',
  /** Of the record. */
  timestamp: 'sluice.timestamp',
  /** When the job was made, or the event that it was made for. */
  created: 'sluice.created',
  /** When the last attempt ended. */
  failed: 'sluice.failed',
} as const;

/** Why a record did not become a job, and `dead`: why its job ended. */
export const REASONS = ['tombstone', 'undecodable', 'invalid', 'unroutable', 'too-large', 'drift', 'dead'] as const;
export type Reason = (typeof REASONS)[number];

/** About the event, whatever its life. */
export const HISTORY = {
  /** The id that the event has for workers and collectors. */
  eventId: 'sluice.event-id',
  /** How often it was replayed. */
  replayed: 'sluice.replayed',
  firstTopic: 'sluice.first-topic',
  firstPartition: 'sluice.first-partition',
  firstOffset: 'sluice.first-offset',
  firstTimestamp: 'sluice.first-timestamp',
  /**
   * The record had left the log when the letter was written. `true`: its value is a sluice.v1.Job made from the job's
   * data. `data`: its value is that data as it was found, which no record can be made of.
   */
  rebuilt: 'sluice.rebuilt',
} as const;

export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

type Headers = Readonly<Record<string, string>>;

/** Where the record of a letter stood; undefined when the headers do not say. */
export function originOf(headers: Headers): Place | undefined {
  const [topic, partition, offset] = [headers[LETTER.topic], headers[LETTER.partition], headers[LETTER.offset]];
  if (topic === undefined || !isCount(partition) || !isCount(offset)) return undefined;
  return { topic, partition: Number(partition), offset: Number(offset) };
}

export function timesReplayed(headers: Headers): number {
  const times = headers[HISTORY.replayed];
  return isCount(times) ? Number(times) : 0;
}

const IN_HISTORY: ReadonlySet<string> = new Set(Object.values(HISTORY));
/** Of a record in its first life. */
export const NO_HISTORY: Headers = Object.freeze({});

/** What of the headers goes with the event into every life. */
export function historyIn(headers: Headers): Headers {
  let kept: Record<string, string> | undefined;
  for (const name in headers) {
    if (!IN_HISTORY.has(name)) continue;
    kept ??= {};
    kept[name] = headers[name] as string;
  }
  return kept ?? NO_HISTORY;
}

/** The headers of a letter's record when it is produced again. */
export function replayHeaders(letter: Headers): Headers {
  const dropped = new Set<string>(Object.values(LETTER));
  const own = Object.fromEntries(Object.entries(letter).filter(([name]) => !dropped.has(name)));
  return { ...lifeOf(letter), ...own, [HISTORY.replayed]: String(timesReplayed(letter) + 1) };
}

function lifeOf(letter: Headers): Headers {
  const {
    topic = '',
    partition = '',
    offset = '',
    timestamp = '',
  } = {
    topic: letter[LETTER.topic],
    partition: letter[LETTER.partition],
    offset: letter[LETTER.offset],
    timestamp: letter[LETTER.timestamp],
  };
  return firstLife({ topic, partition, offset }, timestamp);
}

/** Headers for a record whose first life was there. */
export function firstLife(
  { topic, partition, offset }: { topic: string; partition: number | string; offset: number | string },
  timestamp: number | string,
): Headers {
  return {
    [HISTORY.firstTopic]: topic,
    [HISTORY.firstPartition]: String(partition),
    [HISTORY.firstOffset]: String(offset),
    [HISTORY.firstTimestamp]: String(timestamp),
  };
}

/** Where the event's first record stood; undefined when the headers do not say. */
export function firstOriginOf(headers: Headers): Place | undefined {
  const { [HISTORY.firstTopic]: topic, [HISTORY.firstPartition]: partition, [HISTORY.firstOffset]: offset } = headers;
  if (topic === undefined || !isCount(partition) || !isCount(offset)) return undefined;
  return { topic, partition: Number(partition), offset: Number(offset) };
}

/** When the event's first record was written, in milliseconds since the epoch; undefined when the headers do not say. */
export function firstTimestampOf(headers: Headers): number | undefined {
  const timestamp = headers[HISTORY.firstTimestamp];
  return isCount(timestamp) ? Number(timestamp) : undefined;
}

function isCount(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,15}$/.test(text);
}
