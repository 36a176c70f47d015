/** A UUID of version 8 (RFC 9562, 5.8), by hash: the same text has the same one. */
import { hash } from 'node:crypto';

export function hashedUuid(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
