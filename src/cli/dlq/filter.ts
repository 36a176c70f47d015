/** Which letters a command is about, from its flags. */
import { letterTopic } from '../../job/letter.ts';
import type { Letter } from '../../kafka/letters/letter.ts';
import { suggestion } from '../../suggest.ts';
import type { Config } from '../config/schema.ts';
import type { CommonFlags } from '../context.ts';
import { timeOf } from '../time.ts';

export interface FilterFlags extends CommonFlags {
  readonly topic?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly since?: string;
  readonly until?: string;
  readonly search?: string;
}

/** The dead-letter topics of the topics that are consumed, or of the one that is named. */
export function letterTopicsOf({ topics }: Config, { topic }: Pick<FilterFlags, 'topic'>): string[] {
  const known = Object.keys(topics);
  if (topic === undefined) return known.map(letterTopic);
  const name = topic.endsWith('.dlq') ? topic.slice(0, -'.dlq'.length) : topic;
  if (!known.includes(name)) {
    const hint = suggestion(name, known);
    process.stderr.write(`warning: ${name} is not among the topics that are consumed${hint}\n`);
  }
  return [letterTopic(name)];
}

/** Every filter that is given has to hold. `now`: milliseconds since the epoch. */
export function filterOf(flags: FilterFlags, now: number): (letter: Letter) => boolean {
  const { reason, message, search } = flags;
  const since = flags.since === undefined ? 0 : timeOf('--since', flags.since, now);
  const until = flags.until === undefined ? Number.POSITIVE_INFINITY : timeOf('--until', flags.until, now);
  const text = search?.toLowerCase();
  return (letter) =>
    letter.at >= since &&
    letter.at <= until &&
    (reason === undefined || letter.reason === reason) &&
    (message === undefined || letter.message === message) &&
    (text === undefined || holds(letter, text));
}

/** In the error, the key, the ids, the headers, or in the bytes of the record where they are text. */
function holds({ id, error, eventId, record }: Letter, text: string): boolean {
  const own = [id, error, eventId ?? '', String(record.key ?? ''), ...Object.values(record.headers)];
  return (
    own.some((each) => each.toLowerCase().includes(text)) ||
    String(record.value ?? '')
      .toLowerCase()
      .includes(text)
  );
}
