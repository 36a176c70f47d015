/**
 * Access logs in the combined format, as Apache and nginx write them:
 *   host ident user [day/month/year:hour:minute:second zone] "request" status bytes "referrer" "user agent"
 * Within a field, quotes and control characters are escaped by a backslash; `-` stands for nothing. A user agent may
 * lack its closing quote, because servers cut long lines; fields behind it are passed over.
 */
import { uuidOf } from '../src/faults/load/uuid.ts';
import type { PageView } from './page-views.ts';

const LINE =
  /^(\S+) (\S+) (.+?) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)(?:"|\\?$)/;
const TIME = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{2})(\d{2})$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The page view of a line, or undefined when it is none. `site` is put before paths; `line` counts from 1. */
export function parseLogLine(text: string, line: number, site: string): PageView | undefined {
  const match = LINE.exec(text);
  if (match === null) return undefined;
  const [, host, , user, time, request, status, bytes, referrer, agent] = match as unknown as string[];
  const occurredAt = parseTime(time as string);
  if (occurredAt === undefined) return undefined;
  const { method, target } = parseRequest(unescaped(request as string));
  const id = uuidOf(`${line}/${text}`);
  const message = {
    eventId: id,
    userId: absent(user as string),
    sessionId: '',
    url: /^https?:/.test(target) ? target : `${site}${target}`,
    title: '',
    referrer: absent(unescaped(referrer as string)),
    userAgent: absent(unescaped(agent as string)),
    address: host as string,
    occurredAt,
    method,
    status: status === '-' ? 0 : Number(status),
    bytes: bytes === '-' ? '0' : (bytes as string),
  };
  return { key: host as string, id, message };
}

/** The target may have spaces in it, and the protocol is missing in HTTP/0.9. Garbage has no method. */
function parseRequest(text: string): { method: string; target: string } {
  const match = /^([A-Z][A-Z-]*) (.*?)(?: HTTP\/[\d.]+)?$/.exec(text);
  const [, method = '', target = ''] = match ?? [];
  return { method, target };
}

function absent(text: string): string {
  return text === '-' ? '' : text;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', v: '\v', f: '\f' };

/** Servers write \" \\ \n \t, and \xhh for every other byte; bytes that are no UTF-8 are left as the log has them. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/((?:\\x[0-9a-fA-F]{2})+)|\\(.)/g, (all, bytes: string | undefined, char: string | undefined) =>
    bytes === undefined ? (ESCAPES[char as string] ?? (char as string)) : decoded(bytes, all),
  );
}

function decoded(escapes: string, otherwise: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(escapes.replaceAll('\\x', ''), 'hex'));
  } catch {
    return otherwise;
  }
}

function parseTime(text: string): string | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, day, name, year, clock, hours, minutes] = match as unknown as string[];
  const date = `${year}-${String(MONTHS.indexOf(name as string) + 1).padStart(2, '0')}-${day}`;
  const ms = Date.parse(`${date}T${clock}${hours}:${minutes}`);
  if (Number.isNaN(ms) || !isDay(date)) return undefined;
  return new Date(ms).toISOString();
}

/** The 30th of February would be taken for the 2nd of March. */
function isDay(date: string): boolean {
  const ms = Date.parse(date);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}
