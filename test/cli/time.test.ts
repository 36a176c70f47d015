import { expect, it } from 'vitest';
import { timeOf } from '../../src/cli/time.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');

it.each([
  ['90s', '2026-03-01T11:58:30Z'],
  ['15m', '2026-03-01T11:45:00Z'],
  ['2h', '2026-03-01T10:00:00Z'],
  ['7d', '2026-02-22T12:00:00Z'],
  ['2026-01-31', '2026-01-31T00:00:00Z'],
  ['2026-01-31T08:00:00+02:00', '2026-01-31T06:00:00Z'],
])('reads %s', (text, expected) => {
  expect(timeOf('--since', text, NOW)).toBe(Date.parse(expected));
});

it.each(['', 'yesterday', '5', '1w', '-1h', '2026-13-01', '1e3s'])('refuses "%s", and says what is allowed', (text) => {
  expect(() => timeOf('--since', text, NOW)).toThrow(/--since: .*allowed: /);
});
