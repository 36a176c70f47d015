/** Addresses of Redis as settings give them. What is said of a wrong one shows nothing of it: a password may be in it. */

/** What is allowed, in words. */
export const ADDRESS = 'an address that begins with redis:// or rediss://, such as redis://127.0.0.1:6379';

/** What a text is that cannot be used as an address; undefined for one that can. */
export function unfitAddress(text: string): string | undefined {
  if (!text.includes('://')) return 'a string without "://"';
  if (!/^rediss?:\/\//.test(text)) return 'a string that begins otherwise';
  if (!URL.canParse(text)) return 'a string whose host or port cannot be read';
  const { username, password, pathname } = new URL(text);
  if (!isDecodable(username + password)) return 'a string with a "%" that is no escape in its user or password';
  return /^\/?\d*$/.test(pathname) ? undefined : 'a string whose database, behind the host, is no number';
}

/** `REDIS_URL: a string without "://" is not allowed; ...`, or undefined. `setting`: what gave the text. */
export function addressProblem(setting: string, text: string): string | undefined {
  const kind = unfitAddress(text);
  return kind && `${setting}: ${kind} is not allowed; allowed: ${ADDRESS}`;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The address without its password. */
export function maskUrl(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  return parsed.href;
}
