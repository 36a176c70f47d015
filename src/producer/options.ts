/** What a caller may say about an event, checked strictly: every error is INVALID_MESSAGE and names the option. */
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import { MOST_PRIORITY } from '../schema/envelope.ts';
import { suggestion } from '../suggest.ts';

export interface EventOptions {
  /** Events of one key keep their order in Kafka and share a partition. */
  readonly key?: string;
  /** Identity of the event. Default: a new UUID. It does not deduplicate. */
  readonly id?: string;
  /** Default: the worker's, or `default`. */
  readonly queue?: string;
  /** Run so many milliseconds from now. */
  readonly delayMs?: number;
  /** Run at this time: a Date, or milliseconds since the epoch. */
  readonly runAt?: Date | number;
  /** Default: the worker's. */
  readonly attempts?: number;
  /** 1, the most urgent, to 2097151. */
  readonly priority?: number;
  /** Travel with the job, such as trace context. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Only by Kafka. Default: the producer's topic. */
  readonly topic?: string;
}

interface Rule {
  readonly allowed: string;
  readonly isAllowed: (value: unknown) => boolean;
}

const text: Rule = { allowed: 'a string', isAllowed: (value) => typeof value === 'string' };

function whole(least: number, most: number): Rule {
  return {
    allowed: `a whole number from ${least} to ${most}`,
    isAllowed: (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
  };
}

/** The last moment of a protobuf Timestamp: the year 9999. */
const LATEST_MS = 253_402_300_799_999;
const HUNDRED_YEARS_MS = 3_155_760_000_000;

export const TOPIC_NAME = /^[A-Za-z0-9._-]{1,249}$/;

const RULES: Readonly<Record<keyof EventOptions, Rule>> = {
  key: text,
  id: text,
  queue: {
    allowed: "a name without ':', '{', '}' and blanks",
    isAllowed: (value) => typeof value === 'string' && /^[^:{}\s]{1,200}$/.test(value),
  },
  delayMs: whole(0, HUNDRED_YEARS_MS),
  runAt: {
    allowed: 'a Date, or milliseconds since the epoch, before the year 10000',
    isAllowed: (value) => whole(0, LATEST_MS).isAllowed(value instanceof Date ? value.getTime() : value),
  },
  attempts: whole(1, 4_294_967_295),
  priority: whole(0, MOST_PRIORITY),
  headers: {
    allowed: 'an object of strings',
    isAllowed: (value) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every((each) => typeof each === 'string'),
  },
  topic: {
    allowed: 'a topic name',
    isAllowed: (value) => typeof value === 'string' && TOPIC_NAME.test(value),
  },
};

export function checkOptions(options: EventOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(RULES, name)) {
      throw invalid(
        `${name}: no such option${suggestion(name, Object.keys(RULES))}; allowed: ${Object.keys(RULES).join(', ')}`,
      );
    }
    const rule = RULES[name as keyof EventOptions];
    if (value !== undefined && !rule.isAllowed(value)) {
      throw invalid(`${name}: ${shown(value)} is not allowed; allowed: ${rule.allowed}`);
    }
  }
  if (options.delayMs !== undefined && options.runAt !== undefined)
    throw invalid('delayMs: runAt is given too; one of them is allowed');
}

/** Names one of many in the errors of its check. */
export function named<T>(name: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    throw new SluiceError(error.code, name + messageOf(error), { cause: error });
  }
}

/** A value as errors name it. */
export function shown(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'object') return value instanceof Date ? `the Date ${String(value)}` : 'an object';
  return `the ${typeof value} ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`;
}

function invalid(message: string): SluiceError {
  return new SluiceError('INVALID_MESSAGE', message);
}
