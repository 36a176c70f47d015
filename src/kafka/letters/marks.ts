/**
 * What became of letters, kept in their own partition: a mark is a record behind the letters that it speaks of. Kafka
 * deletes from the front, so a letter never outlives its mark, whatever the topic's retention is.
 * A mark that does not read as one is passed over: its letters seem to wait.
 */
import type { AddressedRecord, KafkaRecord, TopicPartition } from '../consumer.ts';
import type { LetterState } from './letter.ts';

const MARK = 'sluice.mark';

/** In one mark; reading a longer run, whoever wrote it, would take for ever. */
export const MOST_LETTERS = 5_000;

export type MarkState = Exclude<LetterState, 'waiting'>;

export interface Mark {
  readonly state: MarkState;
  /** In order; first and last of each run. */
  readonly runs: readonly (readonly [number, number])[];
}

/** `offsets`: of letters in the partition, in order. */
export function markRecord({ topic, partition }: TopicPartition, state: MarkState, offsets: readonly number[]) {
  const runs: [number, number][] = [];
  for (const offset of offsets) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === offset - 1) last[1] = offset;
    else runs.push([offset, offset]);
  }
  const record: AddressedRecord = {
    topic,
    partition,
    key: `${MARK}~${offsets[0]}`,
    value: Buffer.from(JSON.stringify({ version: 1, state, runs })),
    headers: { [MARK]: state },
  };
  return record;
}

export function isMark({ headers }: KafkaRecord): boolean {
  return headers[MARK] !== undefined;
}

export function markIn(record: KafkaRecord): Mark | undefined {
  if (!isMark(record)) return undefined;
  try {
    const { state, runs } = JSON.parse(String(record.value)) as { state: unknown; runs: unknown };
    if ((state !== 'replayed' && state !== 'purged') || !Array.isArray(runs) || !runs.every(isRun)) return undefined;
    return { state, runs };
  } catch {
    return undefined;
  }
}

function isRun(run: unknown): run is [number, number] {
  return (
    Array.isArray(run) &&
    run.length === 2 &&
    run.every(Number.isSafeInteger) &&
    run[0] <= run[1] &&
    run[1] - run[0] < MOST_LETTERS
  );
}
