/**
 * A Sidekiq job as JSON text, read and written: `args` and every field that is not Sidekiq's keep their text. What is
 * demanded of the others is in sidekiq-fields.ts. Pure.
 *
 * Source: Sidekiq's client.rb, job_util.rb and api.rb, 6.4 to 8.1.
 */
import { hash } from 'node:crypto';
import { messageOf, SluiceError } from '../errors.ts';
import { placeIn } from './identity.ts';
import type { JobAbout } from './job.ts';
import { labelOf, type Members, scanObject } from './json-members.ts';

import { checkedFields, kindOf, LATEST_SECONDS } from './sidekiq-fields.ts';

/** How times are written: by Sidekiq 6 and 7 in seconds with a fraction, by Sidekiq 8 in whole milliseconds. */
export const DIALECTS = ['7', '8'] as const;
export type Dialect = (typeof DIALECTS)[number];

export const DEFAULT_SIDEKIQ_QUEUE = 'default';
/** What Ruby's JSON reads. */
export const DEEPEST = 100;
export const RUBY_CLASS = /^(::)?[A-Z]\w*(::[A-Z]\w*)*$/;
/** Our own field. */
export const ABOUT = 'sl';

export interface SidekiqJob {
  readonly class: string;
  /** The class that an ActiveJob wrapper carries. */
  readonly wrapped: string | undefined;
  readonly queue: string | undefined;
  readonly jid: string | undefined;
  /** When it is due, in milliseconds since the epoch. */
  readonly atMs: number | undefined;
  /** In milliseconds since the epoch. */
  readonly createdAtMs: number | undefined;
  /** As it is written, and so is every field. */
  readonly text: string;
  readonly members: Members;
  /** What stands between the braces, unless a member comes twice. */
  readonly inner: string | undefined;
}

/** `bytes` must be UTF-8. Throws INVALID_MESSAGE with the rule that the text breaks. */
export function parseSidekiqJob(bytes: Buffer): SidekiqJob {
  const scanned = scanObject(bytes);
  if (scanned === undefined) throw noJob(bytes.toString());
  const { text, members, inner, depth, isSuspect } = scanned;
  if (depth > DEEPEST) throw broken(`is nested ${depth} deep; Ruby reads ${DEEPEST} at most`);
  const value = checkedFields(members);
  if (isSuspect) JSON.parse(text, checkReadable);
  return {
    class: value.class as string,
    wrapped: value.wrapped as string | undefined,
    queue: value.queue as string | undefined,
    jid: value.jid as string | undefined,
    atMs: millisecondsOf(value.at),
    createdAtMs: millisecondsOf(value.created_at),
    text,
    members,
    inner,
  };
}

/**
 * What rides in a job's `sl`. Of a job that came from Kafka, its id: under `source` when the bridge waits for its end, under
 * `from` when it does not, or does not any more.
 */
export type SidekiqAbout = JobAbout & { readonly source?: string; readonly from?: string };

export interface Stamp {
  readonly jid: string;
  readonly queue: string;
  readonly createdAtMs: number;
  readonly dialect: Dialect;
  readonly about: SidekiqAbout;
}

/**
 * The text that is put on a queue or into the schedule, but for `enqueued_at` (see `enqueuedText`). Our own field comes
 * last, and the source first in it: scripts find it there.
 */
export function stampedText(job: Pick<SidekiqJob, 'members' | 'inner'>, stamp: Stamp): string {
  const about = aboutText(stamp.about);
  return `{${stampedMembers(job, stamp)}${about === '{}' ? '' : `,"${ABOUT}":${about}`}}`;
}

/** Most jobs keep what they say, which is not put together anew then. */
function stampedMembers({ members, inner }: Pick<SidekiqJob, 'members' | 'inner'>, stamp: Stamp): string {
  return inner !== undefined && keepsMembers(members, stamp) ? inner : rewrittenMembers(members, stamp);
}

function keepsMembers(members: Members, stamp: Stamp): boolean {
  for (const [name, value] of members) if (stampedValue(name, value, stamp) !== value) return false;
  return NEVER_ABSENT.every((name) => members.has(name));
}

/** Whether the value of a member stays as it is written, in a job that keeps its jid and its queue. */
export function keepsValue(name: string, value: string, dialect: Dialect): boolean {
  const stamp = { jid: '', queue: value.slice(1, -1), createdAtMs: 0, dialect, about: {} };
  return stampedValue(name, value, stamp) === value;
}

function rewrittenMembers(members: Members, stamp: Stamp): string {
  const parts: string[] = [];
  for (const [name, value] of members) {
    const stamped = stampedValue(name, value, stamp);
    if (stamped !== undefined) parts.push(labelOf(name) + stamped);
  }
  for (const name of NEVER_ABSENT) {
    if (!members.has(name)) parts.push(labelOf(name) + stampedValue(name, 'null', stamp));
  }
  return parts.join(',');
}

export const NEVER_ABSENT = ['retry', 'jid', 'queue', 'created_at'];

/** Undefined for a field that does not stay. */
function stampedValue(name: string, value: string, { jid, queue, createdAtMs, dialect }: Stamp): string | undefined {
  switch (name) {
    case 'at':
    case 'enqueued_at':
    case ABOUT:
      return undefined;
    case 'retry':
      return value === 'null' ? 'true' : value;
    case 'jid':
      // Sidekiq looks jobs up by the plain text of their jid.
      return value === 'null' || value.includes('\\') ? JSON.stringify(jid) : value;
    case 'queue':
      return labelOf(queue).slice(0, -1);
    case 'created_at':
      return isTimeOf(dialect, value) ? value : timeText(createdAtMs, dialect);
    case 'failed_at':
    case 'retried_at':
      return restamped(value, dialect);
    default:
      return value;
  }
}

/** The jid of a job that brings none: 24 hex characters, the same whenever a job is made of this record. */
export function jidOf(id: string, createdAtMs: number): string {
  return hash('sha256', `${placeIn(id)}\n${createdAtMs}`, 'hex').slice(0, 24);
}

/** The id under which a bridge waits for the end of this job, if one does. Arguments may hold another job, and count for nothing. */
export function trackedSourceIn(text: string): string | undefined {
  if (!text.includes(`"${ABOUT}":{"source":"`)) return undefined;
  try {
    const about: unknown = Reflect.get(Object(JSON.parse(text)), ABOUT);
    const source: unknown = Reflect.get(Object(about), 'source');
    return typeof source === 'string' ? source : undefined;
  } catch {
    return undefined;
  }
}

/** The job as one whose end nobody waits for any more: its record's id stays, under the name that nobody waits by. */
export function untracked(members: Members): Members {
  const about = members.get(ABOUT);
  return about === undefined ? members : new Map(members).set(ABOUT, about.replace(/^\{\s*"source"/, '{"from"'));
}

/** `text` of an object that has members. */
export function enqueuedText(text: string, nowMs: number, dialect: Dialect): string {
  return `${enqueuedHead(nowMs, dialect)}${text.slice(1)}`;
}

/** What stands before the members of every job that is enqueued at this time. */
export function enqueuedHead(nowMs: number, dialect: Dialect): string {
  return `{"enqueued_at":${timeText(nowMs, dialect)},`;
}

/** As the dialect writes a time. An integral number of seconds keeps its fraction: Sidekiq 8 takes it for milliseconds. */
export function timeText(ms: number, dialect: Dialect): string {
  return dialect === '8' ? String(Math.round(ms)) : (ms / 1000).toFixed(6);
}

/** Whether a time is written as the dialect writes it. */
function isTimeOf(dialect: Dialect, value: string): boolean {
  return (dialect === '8' ? MILLISECONDS : SECONDS).test(value);
}
const SECONDS = /^\d{1,10}\.\d{1,9}$/;
const MILLISECONDS = /^\d{12,14}$/;

/** Reads a time of either dialect. */
export function millisecondsOf(time: unknown): number | undefined {
  if (typeof time !== 'number') return undefined;
  return time < LATEST_SECONDS ? time * 1000 : time;
}

/** Written by hand: of most jobs there are two members to tell. */
function aboutText({ source, from, key, id, headers }: SidekiqAbout): string {
  let text = '';
  if (source !== undefined) text += `,"source":${JSON.stringify(source)}`;
  if (from !== undefined) text += `,"from":${JSON.stringify(from)}`;
  if (key !== undefined) text += `,"key":${JSON.stringify(key)}`;
  if (id !== undefined) text += `,"id":${JSON.stringify(id)}`;
  if (headers !== undefined) text += `,"headers":${JSON.stringify(headers)}`;
  return `{${text.slice(1)}}`;
}

function restamped(value: string, dialect: Dialect): string {
  const ms = millisecondsOf(JSON.parse(value));
  return ms === undefined ? value : timeText(ms, dialect);
}

/** Why the text is no object. */
function noJob(text: string): SluiceError {
  try {
    return broken(`is ${kindOf(JSON.parse(text))}; allowed: an object with "class" and "args"`);
  } catch (error) {
    return broken(`is not JSON: ${messageOf(error)}`);
  }
}

/** A reviver, that answers the value as it is. Ruby's integers have no bounds. */
function checkReadable(name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isWhole = typeof value !== 'string' || value.isWellFormed();
  if (!isWhole || !name.isWellFormed()) throw broken('holds half a surrogate pair, which is no text for Ruby');
  const isBeyond = typeof value === 'number' && !Number.isFinite(value);
  if (isBeyond && /[.eE]/.test(context?.source ?? '')) throw broken('holds a number beyond the range of a Float');
  return value;
}

function broken(problem: string): SluiceError {
  return new SluiceError('INVALID_MESSAGE', `the Sidekiq job ${problem}`);
}
