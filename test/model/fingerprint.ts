/**
 * A state as a number of 53 bits, to remember millions of them. Two states that differ share one with a chance of
 * n^2 / 2^54 over n states: 1 in 180 for ten million. What is under way has no order, so its numbers are added up.
 */
import type { Message, State } from './state.ts';

const PRIME_A = 0x9e3779b1;
const PRIME_B = 0x85ebca77;

export function fingerprintOf({ flight, broken: _, ...rest }: State): number {
  let sum = 0;
  for (const message of flight) sum = (sum + hash(message)) % Number.MAX_SAFE_INTEGER;
  return hash([rest, sum % 0x7fffffff, Math.floor(sum / 0x7fffffff)]);
}

type Hashable = Message | object;

function hash(value: Hashable): number {
  const halves = { a: 1, b: 2 };
  mix(value, halves);
  return (halves.b >>> 11) * 4294967296 + (halves.a >>> 0);
}

function mix(value: unknown, halves: { a: number; b: number }): void {
  if (typeof value === 'object' && value !== null) {
    for (const key in value) mix((value as Record<string, unknown>)[key], halves);
    add(-7, halves);
  } else if (typeof value === 'string') {
    for (let i = 0; i < value.length; i++) add(value.charCodeAt(i), halves);
  } else add(value === undefined ? -9 : Number(value), halves);
}

function add(number: number, halves: { a: number; b: number }): void {
  halves.a = Math.imul(halves.a ^ (number + 11), PRIME_A);
  halves.a ^= halves.a >>> 15;
  halves.b = Math.imul(halves.b ^ (number + 13), PRIME_B);
  halves.b ^= halves.b >>> 13;
}
