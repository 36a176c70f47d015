import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeTable } from '../../faults/table.ts';
import { check } from '../../src/faults/check/check.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-table-'));
afterAll(() => rmSync(dir, { recursive: true }));

const { verdict } = check([
  { at: 0, is: 'run', seed: 4, minutes: 1, closeAtBytes: 1, commitEveryMs: 1_000 },
  { at: 1, is: 'fault', fault: 1, kind: 'bridge-kill', step: 'begin' },
  { at: 2, is: 'fault', fault: 1, kind: 'bridge-kill', step: 'recovered', seconds: 2.25 },
]);

it('writes between the marks, again and again, and leaves the rest', () => {
  const file = join(dir, 'doc.md');
  writeFileSync(file, 'before\n<!-- faults:begin -->\nold\n<!-- faults:end -->\nafter\n');
  writeTable(file, verdict);
  writeTable(file, verdict);
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(/^before\n<!-- faults:begin -->\n\nSeed 4, 1 minutes: 1 faults of 1 kinds/);
  expect(text).toMatch(
    /\| `bridge-kill` \| kill -9 of a bridge under load \| 2\.3 s \|\n\n<!-- faults:end -->\nafter\n$/,
  );
  expect(text).not.toContain('old');
});

it('refuses a file without the marks', () => {
  const file = join(dir, 'other.md');
  writeFileSync(file, 'nothing');
  expect(() => writeTable(file, verdict)).toThrow('does not hold <!-- faults:begin -->');
});
