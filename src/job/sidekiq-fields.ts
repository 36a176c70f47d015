/**
 * The fields of a Sidekiq job: what Sidekiq's own client demands of them, and what Ruby would stumble over later without a
 * word. Pure.
 *
 * Source of the rules: Sidekiq's job_util.rb, job_retry.rb and api.rb, 6.4 to 8.1.
 */
import { SluiceError } from '../errors.ts';
import type { Members } from './json-members.ts';

/** Sidekiq's Web shows no queue of another name. */
export const SIDEKIQ_QUEUE_NAME = /^[A-Za-z0-9_:.-]{1,200}$/;
/** A time in seconds that is larger was meant in milliseconds. */
export const LATEST_SECONDS = 1e11;
/** The year 5138: beyond what any clock says, and what Sidekiq's Web shows. */
const LATEST_MS = 1e14;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'];
const LONGEST_RETRY_FOR_SECONDS = 1_000_000_000;

/** Those that there are rules for, without those that are null. Throws INVALID_MESSAGE with the rule that is broken. */
export function checkedFields(members: Members): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const field of NEEDED) {
    if ((members.get(field) ?? 'null') === 'null') throw missing(field);
  }
  for (const [name, text] of members) {
    const rule = RULES.get(name);
    if (rule === undefined || text === 'null') continue;
    const value = shallowValue(text);
    if (!rule.isAllowed(value)) throw notAllowed(name, value, rule);
    fields[name] = value;
  }
  return fields;
}

export function hasRule(name: string): boolean {
  return RULES.has(name);
}

/** As `checkedFields` judges a field that is there, by its value as JSON. */
export function isAllowed(name: string, text: string): boolean {
  if (text === 'null') return !NEEDED.includes(name);
  return RULES.get(name)?.isAllowed(shallowValue(text)) ?? true;
}

/** Of a list or an object, only that it is one. */
function shallowValue(text: string): unknown {
  switch (text.charAt(0)) {
    case '[':
      return [];
    case '{':
      return {};
    case '"':
      return text.includes('\\') ? JSON.parse(text) : text.slice(1, -1);
    case 't':
      return true;
    case 'f':
      return false;
    default:
      return Number(text);
  }
}

interface Rule {
  readonly allowed: string;
  readonly isAllowed: (value: unknown) => boolean;
}

const time: Rule = {
  allowed: 'a number of seconds, or of milliseconds, since the epoch',
  isAllowed: (value) => isTime(value) && (value as number) < LATEST_MS,
};
const text: Rule = { allowed: 'a text', isAllowed: isText };

const FIELD_RULES: Readonly<Record<string, Rule>> = {
  class: { allowed: "a class's name", isAllowed: isText },
  args: { allowed: 'a list', isAllowed: Array.isArray },
  jid: text,
  wrapped: text,
  queue: {
    allowed: "a name of letters, digits, '_', '-', '.' and ':'",
    isAllowed: (value) => isText(value) && SIDEKIQ_QUEUE_NAME.test(value),
  },
  retry_queue: {
    allowed: "a name of letters, digits, '_', '-', '.' and ':'",
    isAllowed: (value) => isText(value) && SIDEKIQ_QUEUE_NAME.test(value),
  },
  retry: {
    allowed: 'true, false, or a whole number from 0 on',
    isAllowed: (value) => typeof value === 'boolean' || (Number.isSafeInteger(value) && (value as number) >= 0),
  },
  // Ruby counts it up before it knows where the job goes, and loses a job in which it cannot.
  retry_count: {
    allowed: 'a whole number from 0 on',
    isAllowed: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  },
  backtrace: {
    allowed: 'true, false, or a number of lines',
    isAllowed: (value) => ['boolean', 'number', 'string'].includes(typeof value),
  },
  // Read before the part of Ruby that tries a job again.
  log_level: {
    allowed: LOG_LEVELS.join(', '),
    isAllowed: (value) => LOG_LEVELS.some((each) => each === value) || Number.isSafeInteger(value),
  },
  at: {
    allowed: 'a number of seconds since the epoch (of milliseconds it is none)',
    isAllowed: (value) => isTime(value) && (value as number) < LATEST_SECONDS,
  },
  created_at: time,
  enqueued_at: time,
  failed_at: time,
  retried_at: time,
  tags: { allowed: 'a list', isAllowed: Array.isArray },
  retry_for: {
    allowed: `a number of seconds up to ${LONGEST_RETRY_FOR_SECONDS}`,
    isAllowed: (value) => isTime(value) && (value as number) <= LONGEST_RETRY_FOR_SECONDS,
  },
};

/** What there are rules for. */
export const RULED: readonly string[] = Object.keys(FIELD_RULES);
/** By name: a name may be anything, what every object inherits included. */
const RULES = new Map(Object.entries(FIELD_RULES));
/** In every job. */
export const NEEDED = ['class', 'args'];

function missing(field: string): SluiceError {
  const { allowed } = FIELD_RULES[field] as Rule;
  return new SluiceError('INVALID_MESSAGE', `the Sidekiq job has no ${field}; allowed: ${allowed}`);
}

function notAllowed(field: string, value: unknown, { allowed }: Rule): SluiceError {
  return new SluiceError('INVALID_MESSAGE', `the Sidekiq job's ${field} is ${kindOf(value)}; allowed: ${allowed}`);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** For a person. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return `the ${typeof value} ${shortened(JSON.stringify(value))}`;
}

function shortened(value: string): string {
  return value.length <= 80 ? value : `${value.slice(0, 80)}...`;
}
