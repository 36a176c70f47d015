/** Letters as the commands print them: JSON lines for programs, columns for people. */
import { type Letter, letterId } from '../../kafka/letters/letter.ts';
import { columns } from '../output.ts';

export const SHAPE_VERSION = 1;
const ERROR_CHARS = 80;

export function letterJson(letter: Letter) {
  const { id, state, at, reason, error, message, queue, attempts, eventId, origin, timesReplayed, record } = letter;
  return {
    version: SHAPE_VERSION,
    id,
    state,
    at: new Date(at).toISOString(),
    reason,
    error,
    message: message ?? null,
    queue: queue ?? null,
    attempts: attempts ?? null,
    eventId: eventId ?? null,
    origin: origin === undefined ? null : letterId(origin),
    timesReplayed,
    ...bytes('key', record.key),
    valueBytes: record.value?.length ?? null,
  };
}

/** Text as text, other bytes as base64 under a name that says so. */
export function bytes(name: string, value: Buffer | null): Record<string, string | null> {
  if (value === null) return { [name]: null };
  const text = value.toString('utf8');
  return Buffer.from(text).equals(value) ? { [name]: text } : { [`${name}Base64`]: value.toString('base64') };
}

export function letterTable(letters: readonly Letter[]): string[] {
  const rows = letters.map((letter) => [
    letter.id,
    new Date(letter.at).toISOString().slice(0, 19),
    letter.state === 'waiting' && letter.timesReplayed > 0 ? `waiting, life ${letter.timesReplayed + 1}` : letter.state,
    letter.reason,
    letter.message ?? '',
    oneLine(letter.error),
  ]);
  return columns([['LETTER', 'AT (UTC)', 'STATE', 'REASON', 'MESSAGE', 'ERROR'], ...rows]);
}

/** Some of `count` letters, and how many there are beside them. */
export function sampleTable(sample: readonly Letter[], count: number): string[] {
  const more = count > sample.length ? [`... and ${count - sample.length} more`] : [];
  return count === 0 ? [] : [...letterTable(sample), ...more];
}

/** Whoever wrote the record may have written escape sequences into it. */
export function oneLine(text: string, most = ERROR_CHARS): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 3)}...`;
}
