/** Which letters a command is about, from its flags. */
import { SluiceError } from '../../errors.ts';
import { letterTopic, REASONS } from '../../job/letter.ts';
import { type Letter, UNKNOWN_REASON } from '../../kafka/letters/letter.ts';
import { suggestion } from '../../suggest.ts';
import type { Config } from '../config/schema.ts';
import type { CommonFlags } from '../context.ts';
import { timeOf } from '../time.ts';
import { oneLine } from './shape.ts';

const ALLOWED_REASONS: readonly string[] = [...REASONS, UNKNOWN_REASON];
const MOST_NAMED = 5;
/** Anybody may write letters. */
const MOST_KEPT = 1_000;

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

export interface LetterFilter {
  readonly isWanted: (letter: Letter) => boolean;
  /** Message types of the letters that were looked at, wanted or not. */
  readonly messages: ReadonlySet<string>;
}

/** Every filter that is given has to hold. `now`: milliseconds since the epoch. Throws USAGE. */
export function filterOf(flags: FilterFlags, now: number): LetterFilter {
  const { reason, message, search } = flags;
  if (reason !== undefined) checkReason(reason);
  const since = flags.since === undefined ? 0 : timeOf('--since', flags.since, now);
  const until = flags.until === undefined ? Number.POSITIVE_INFINITY : timeOf('--until', flags.until, now);
  const text = search?.toLowerCase();
  const messages = new Set<string>();
  const isWanted = (letter: Letter) => {
    if (letter.message !== undefined && messages.size < MOST_KEPT) messages.add(letter.message);
    return (
      letter.at >= since &&
      letter.at <= until &&
      (reason === undefined || letter.reason === reason) &&
      (message === undefined || letter.message === message) &&
      (text === undefined || holds(letter, text))
    );
  };
  return { isWanted, messages };
}

function checkReason(reason: string): void {
  if (ALLOWED_REASONS.includes(reason)) return;
  const near = suggestion(reason, ALLOWED_REASONS);
  throw new SluiceError('USAGE', `--reason: "${reason}" is not allowed${near}; allowed: ${ALLOWED_REASONS.join(', ')}`);
}

/** Says so when none of the letters that were looked at is of the message type that is asked for. */
export function warnOfMessage({ message }: FilterFlags, { messages }: LetterFilter): void {
  if (message === undefined || messages.has(message)) return;
  const known = [...messages].sort();
  const more = known.length > MOST_NAMED ? ` and ${known.length - MOST_NAMED} more` : '';
  const there =
    known.length === 0 ? 'none names its type' : `there are letters of ${known.slice(0, MOST_NAMED).join(', ')}${more}`;
  const text = `no letter is of the message type ${message}${suggestion(message, known)}; ${there}`;
  process.stderr.write(`warning: ${oneLine(text, Number.POSITIVE_INFINITY)}\n`);
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
