/** What must not be shown of a configuration. */
import type { Path } from './paths.ts';

const SECRET_KEY = /^(password|secretAccessKey|sessionToken|key|url|brokers)$/;
const HIDDEN_KEY = /^(password|secretAccessKey|sessionToken|key)$/;
const MASK = '***';

/** Whether the value at this path is one, or may hold one. */
export function isSecret(path: Path): boolean {
  return path.some((key) => SECRET_KEY.test(key));
}

/** The value with its secrets masked: whole ones by their key, passwords inside addresses. */
export function masked(value: unknown, path: Path): unknown {
  if (typeof value === 'function') return '(function)';
  if (Array.isArray(value)) return value.map((each) => masked(each, path));
  if (typeof value !== 'string') return value;
  return HIDDEN_KEY.test(path.at(-1) ?? '') ? MASK : withoutPassword(value);
}

/** By text and not by parsing: an address that is spelt wrong has a password too. */
function withoutPassword(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/[^:@/?#]*:).*@/i, `$1${MASK}@`);
}
