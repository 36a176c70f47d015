/**
 * JSON values without loss: an integer that no double holds is a bigint. Every other number is the double that it is in
 * Ruby too. Pure.
 */

/** Only a text with so many digits in a row can hold such an integer. */
const MANY_DIGITS = /\d{16}/;
const INTEGER = /^-?\d+$/;

/** Throws SyntaxError. */
export function parseExactly(text: string): unknown {
  return MANY_DIGITS.test(text)
    ? JSON.parse(text, exactly as (key: string, value: unknown) => unknown)
    : JSON.parse(text);
}

/** Node passes the source of a number; TypeScript does not know it yet. */
function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return INTEGER.test(source) ? BigInt(source) : value;
}
