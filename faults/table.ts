/** The table of a run in a Markdown file, between two marks; what is around it stays. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Verdict } from '../src/faults/check/check.ts';
import { KINDS } from '../src/faults/kinds/kinds.ts';

const BEGIN = '<!-- faults:begin -->';
const END = '<!-- faults:end -->';

export function writeTable(file: string, verdict: Verdict): void {
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${file} does not hold ${BEGIN} and, behind it, ${END}`);
  writeFileSync(file, `${text.slice(0, begin + BEGIN.length)}\n\n${table(verdict)}\n\n${text.slice(end)}`);
}

function table(verdict: Verdict): string {
  const { seed, minutes, faults, kinds, records, recoverySeconds, stockRerunAfterFinished, runsAgain } = verdict;
  const { lost, createdTwice, committedTooFar, rerunAfterFinished, aboveCeiling, givenUp, notHealed } = verdict;
  const rows = KINDS.filter(({ name }) => name in recoverySeconds).map(
    ({ name, does }) => `| \`${name}\` | ${does} | ${(recoverySeconds[name] ?? 0).toFixed(1)} s |`,
  );
  return [
    `Seed ${seed}, ${minutes} minutes: ${faults} faults of ${kinds} kinds, ${records.toLocaleString('en-US')} records.`,
    '',
    '| lost | created twice | committed too far | run again after finished | above the ceiling | given up | not healed |',
    '|---|---|---|---|---|---|---|',
    `| ${[lost, createdTwice, committedTooFar, rerunAfterFinished, aboveCeiling, givenUp, notHealed].join(' | ')} |`,
    '',
    `${runsAgain} jobs ran to their end more than once; ${stockRerunAfterFinished} of them were run by the stock worker after`,
    'Kafka knew them to be finished, which only a host of Sluice can avoid.',
    '',
    '| kind | what is done | healed after |',
    '|---|---|---|',
    ...rows,
  ].join('\n');
}
