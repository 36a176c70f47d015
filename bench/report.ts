/** Writes what was measured: JSON for programs, a table and a picture for people. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ROOT } from './contest.ts';
import { load, MACHINE } from './machine.ts';
import type { PartResult } from './part.ts';

const FILE = `${ROOT}bench/results/latest.json`;

interface Stored {
  readonly ratios: Readonly<Record<string, number>>;
  readonly figures: Readonly<Record<string, number>>;
  readonly parts: Readonly<Record<string, object>>;
}

/** A part that was not run keeps what it had, with its own date. */
export function report(results: Readonly<Record<string, PartResult>>, kind: 'full' | 'quick'): void {
  const stored: Stored = existsSync(FILE)
    ? JSON.parse(readFileSync(FILE, 'utf8'))
    : { ratios: {}, figures: {}, parts: {} };
  const all = Object.values(results);
  const run = { at: new Date().toISOString(), kind, load: load() };
  const fresh = {
    ratios: Object.assign({}, ...all.map(({ ratios }) => ratios)),
    figures: Object.assign({}, ...all.map(({ figures }) => figures)),
  };
  const next = {
    machine: MACHINE,
    ratios: { ...stored.ratios, ...fresh.ratios },
    figures: { ...stored.figures, ...fresh.figures },
    parts: {
      ...stored.parts,
      ...Object.fromEntries(Object.entries(results).map(([name, { rows }]) => [name, { ...run, rows }])),
    },
  };
  mkdirSync(`${ROOT}bench/results`, { recursive: true });
  writeFileSync(FILE, `${JSON.stringify(next, null, 2)}\n`);
  process.stdout.write(`${JSON.stringify(fresh)}\n`);
}
