/**
 * Access logs in the combined format, as Apache and nginx write them:
 *   host ident user [day/month/year:hour:minute:second zone] "request" status bytes "referrer" "user agent"
 * Quotes within a field are escaped by a backslash; `-` stands for nothing. A user agent may lack its closing quote:
 * servers cut long lines.
 */
import { type PageView, uuidOf } from './page-views.ts';

const LINE =
  /^(\S+) (\S+) (\S+) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"?/;
const TIME = /^(\d{2})\/(\w{3})\/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{2})(\d{2})$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The page view of a line, or undefined when it is none. `site` is put before paths; `line` counts from 1. */
export function parseLogLine(text: string, line: number, site: string): PageView | undefined {
  const match = LINE.exec(text);
  if (match === null) return undefined;
  const [, host, , user, time, request, status, bytes, referrer, agent] = match as unknown as string[];
  const occurredAt = parseTime(time as string);
  if (occurredAt === undefined) return undefined;
  const [method = '', target = ''] = unescaped(request as string).split(' ');
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

function absent(text: string): string {
  return text === '-' ? '' : text;
}

/** Apache writes \" \\ \n \t and \xhh. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_all, hex: string | undefined, char: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return { n: '\n', t: '\t', r: '\r' }[char ?? ''] ?? char ?? '';
  });
}

function parseTime(text: string): string | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, day, name, year, clock, hours, minutes] = match as unknown as string[];
  const month = MONTHS.indexOf(name as string) + 1;
  const ms = Date.parse(`${year}-${String(month).padStart(2, '0')}-${day}T${clock}${hours}:${minutes}`);
  return month === 0 || Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
