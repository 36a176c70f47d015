/** What a run found, for people: counts, recovery by kind, and each violation with its lines. */
import type { Checked } from './check.ts';

const SHOWN_OF_EACH = 5;

export function reportLines({ verdict, violations }: Checked): string[] {
  const { recoverySeconds, version: _, ...counts } = verdict;
  return [
    ...Object.entries(counts).map(([name, value]) => `${name.padEnd(26)}${value ?? 'not asked for'}`),
    '',
    ...Object.entries(recoverySeconds)
      .sort()
      .map(([kind, seconds]) => `${kind.padEnd(26)}${seconds.toFixed(1)} s`),
    ...Object.entries(violations).flatMap(([name, findings]) => [
      ...findings
        .slice(0, SHOWN_OF_EACH)
        .flatMap(({ what, lines }) => ['', `${name}: ${what}`, ...lines.map((line) => `  ${JSON.stringify(line)}`)]),
      ...(findings.length > SHOWN_OF_EACH ? [`${name}: and ${findings.length - SHOWN_OF_EACH} more`] : []),
    ]),
  ];
}

export function isViolated({ violations }: Checked): boolean {
  return Object.values(violations).some((findings) => findings.length > 0);
}
