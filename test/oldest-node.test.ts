/** The oldest Node that is promised is one number, wherever it is said, and enough for everything that is installed. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const text = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

interface Package {
  readonly engines?: { readonly node?: string };
  readonly dev?: boolean;
}
const { packages } = JSON.parse(text('package-lock.json')) as { packages: Record<string, Package> };
const promised = (JSON.parse(text('package.json')) as Package).engines?.node?.replace('>=', '') ?? '';

test('readme, command and lockfile name the Node of package.json', () => {
  expect(promised).toMatch(/^\d+\.\d+$/);
  expect(text('README.md')).toContain(`Node ${promised} or newer`);
  expect(text('bin/sluice.js')).toContain(`Node ${promised} or newer`);
  expect(text('bin/sluice.js')).toContain(`minor < ${promised.split('.')[1]}`);
  expect(packages['']?.engines?.node).toBe(`>=${promised}`);
});

test('no dependency wants a newer one', () => {
  const wanting = Object.entries(packages).filter(([, { dev, engines }]) => !dev && !isEnough(engines?.node ?? '*'));
  expect(wanting.map(([name, { engines }]) => `${name} ${engines?.node}`)).toEqual([]);
});

/** Whether some alternative of a range such as `20 || >=22.12.0` begins at the promised Node or below. */
function isEnough(range: string): boolean {
  return range.split('||').some((part) => {
    const [major = 0, minor = 0] = (/\d+(\.\d+)?/.exec(part)?.[0] ?? '').split('.').map(Number);
    const [ourMajor = 0, ourMinor = 0] = promised.split('.').map(Number);
    return /[*>]/.test(part) ? major < ourMajor || (major === ourMajor && minor <= ourMinor) : major === ourMajor;
  });
}
