/**
 * Writes what was measured: JSON for programs, tables and pictures for people, all in bench/results; and of a full run what
 * docs/performance.md shows. A part that was not run keeps what it had, with its own date.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { bars, type Series } from './chart.ts';
import { ROOT } from './contest.ts';
import { load, MACHINE } from './machine.ts';
import type { PartResult, Rows } from './part.ts';
import { tableOf } from './table.ts';

const RESULTS = `${ROOT}bench/results/latest`;
const FILE = `${RESULTS}.json`;
const PAGE = `${ROOT}docs/performance.md`;
const PICTURE = `${ROOT}docs/performance.svg`;
const [BEGIN, END] = ['<!-- bench: generated from here -->', '<!-- bench: to here -->'];

interface StoredPart {
  readonly at: string;
  readonly kind: string;
  /** Processes that wanted a core when it ended. */
  readonly load: number;
  readonly rows: Rows;
}

interface Stored {
  readonly machine: typeof MACHINE;
  readonly ratios: Readonly<Record<string, number>>;
  readonly figures: Readonly<Record<string, number>>;
  readonly parts: Readonly<Record<string, StoredPart>>;
}

/** Called after each part, so that what was measured stays when a later one fails. */
export function report(name: string, { rows, ratios, figures }: PartResult, kind: string): void {
  const before = stored();
  const part: StoredPart = { at: new Date().toISOString(), kind, load: load(), rows };
  const next: Stored = {
    machine: MACHINE,
    ratios: { ...before.ratios, ...ratios },
    figures: { ...before.figures, ...figures },
    parts: { ...before.parts, [name]: part },
  };
  mkdirSync(`${ROOT}bench/results`, { recursive: true });
  writeFileSync(FILE, `${JSON.stringify(next, null, 2)}\n`);
  writeFileSync(`${RESULTS}.svg`, bars(rates(next)));
  writeFileSync(`${RESULTS}.md`, generated(next));
  if (kind === 'full') publish(next);
  process.stdout.write(`${JSON.stringify({ part: name, ratios, figures })}\n`);
}

function stored(): Stored {
  if (existsSync(FILE)) return JSON.parse(readFileSync(FILE, 'utf8')) as Stored;
  return { machine: MACHINE, ratios: {}, figures: {}, parts: {} };
}

/** Where the results are, and what they are worth. */
export function tellWhere(): void {
  const wanting = load();
  const advice =
    wanting > MACHINE.cores ? `; ${wanting} processes wanted ${MACHINE.cores} cores: compare CPU, not rates` : '';
  process.stderr.write(`all results: bench/results/latest.md and .json${advice}\n`);
}

/** Between the two marks; what people wrote around them stays. */
function publish(all: Stored): void {
  writeFileSync(PICTURE, bars(rates(all)));
  const page = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : `# Performance\n\n${BEGIN}\n${END}\n`;
  const [before = '', rest = ''] = page.split(BEGIN);
  writeFileSync(PAGE, `${before}${BEGIN}\n${generated(all)}${END}${rest.split(END)[1] ?? '\n'}`);
}

function generated({ machine, ratios, figures, parts }: Stored): string {
  const sections = Object.entries(parts).map(
    ([name, { at, kind, load: wanting, rows }]) =>
      `### ${name}\n\n${at.slice(0, 16).replace('T', ' ')} UTC, ${kind} run, load ${wanting}\n\n${tableOf(rows)}`,
  );
  const on = `${machine.cores} cores (${machine.processor}), ${machine.memoryGib} GiB, Node ${machine.node}`;
  return `\n${on}. Medians, with the lowest and the highest round.\n\n${tableOf({ ratio: ratios })}\n${tableOf({ figure: figures })}\n${sections.join('\n')}\n`;
}

function rates({ parts }: Stored): Series[] {
  return ['fill', 'sidekiq', 'drain'].flatMap((name) => {
    const rows = Object.entries(parts[name]?.rows ?? {});
    const values = rows.map(([label, { perSecond }]) => ({ label, value: perSecond ?? 0 }));
    return values.length === 0 ? [] : [{ title: `${name}, jobs a second`, values }];
  });
}
