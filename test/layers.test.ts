/**
 * The linter holds the layers: each rule is shown to bite by a deliberate violation, and to let through what is
 * allowed. All probes are files of one throw-away tree under the project's own configuration, linted in one run.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const LEVELS = [
  ['job', 'schema', 'redis'],
  ['definition'],
  ['kafka', 'queue', 'collector', 'presence'],
  ['bridge', 'worker', 'producer', 'dashboard', 'faults'],
  ['cli'],
];

/** The only folders that may name these packages. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['kafka', 'faults'],
  bullmq: ['queue', 'worker/hosts', 'dashboard', 'faults'],
  ioredis: ['redis'],
  undici: ['collector'],
  fastify: ['dashboard'],
  '@bull-board/api': ['dashboard'],
  '@bull-board/api/bullMQAdapter': ['dashboard'],
  commander: ['cli'],
  protobufjs: ['schema'],
};

interface Probe {
  readonly folder: string;
  readonly text: string;
  /** Absent: allowed. */
  readonly breaks?: string;
}

const importing = (specifier: string) => `import { x } from '${specifier}';\nx();\n`;

function upward(folders: readonly string[], level: number): Probe[] {
  const above = LEVELS.slice(level + 1).flat();
  return folders.flatMap((from) =>
    [...folders.filter((same) => same !== from), ...above].flatMap((to) => [
      { folder: `src/${from}`, text: importing(`../${to}/x.ts`), breaks: 'noRestrictedImports' },
      { folder: `src/${from}/deep`, text: importing(`../../${to}/x.ts`), breaks: 'noRestrictedImports' },
    ]),
  );
}

function downward(folders: readonly string[], level: number): Probe[] {
  const below = LEVELS.slice(0, level).flat();
  return folders.flatMap((from) =>
    ['../errors.ts', './same.ts', ...below.map((to) => `../${to}/x.ts`)].map((specifier) => ({
      folder: `src/${from}`,
      text: importing(specifier),
    })),
  );
}

function packages(name: string): Probe[] {
  const homes = HOMES[name] ?? [];
  const others = [...LEVELS.flat(), 'worker/hosts'].filter((folder) => !homes.some((home) => folder.startsWith(home)));
  return [
    ...homes.map((home) => ({ folder: `src/${home}`, text: importing(name) })),
    ...others.map((other) => ({ folder: `src/${other}`, text: importing(name), breaks: 'noRestrictedImports' })),
  ];
}

const processUse = (
  [
    ['process.env.HOME', 'noProcessEnv'],
    ['process.argv', 'plugin'],
    ["process.on('SIGTERM', () => {})", 'plugin'],
    ['process.exit(1)', 'plugin'],
  ] as const
).flatMap(([expression, breaks]) => {
  const text = `export const probe = ${expression};\n`;
  return [
    { folder: 'src/bridge', text, breaks },
    { folder: 'src/cli', text },
  ];
});

const PROBES: readonly Probe[] = [
  ...LEVELS.flatMap(upward),
  ...LEVELS.flatMap(downward),
  ...Object.keys(HOMES).flatMap(packages),
  ...processUse,
  { folder: 'workers', text: importing('../src/job/job.ts'), breaks: 'noRestrictedImports' },
  { folder: 'workers', text: importing('sluice') },
  {
    folder: 'src/bridge',
    text: 'async function work(): Promise<void> {}\nexport function go(): void {\n  work();\n}\n',
    breaks: 'noFloatingPromises',
  },
  { folder: 'src/bridge', text: 'export const unused = 1;\nconst never = 2;\n', breaks: 'noUnusedVariables' },
];

const pathOf = (index: number) => join(PROBES[index]?.folder ?? '', `probe-${index}.ts`);
const tree = mkdtempSync(join(tmpdir(), 'sluice-layers-'));
const broken = new Map<string, string[]>();

function lint(files: readonly string[]): { category: string; location: { path: string } }[] {
  const biome = join(ROOT, 'node_modules', '.bin', 'biome');
  const args = ['lint', '--reporter=json', '--max-diagnostics=none', ...files];
  const { stdout } = spawnSync(biome, args, { cwd: tree, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  return JSON.parse(stdout).diagnostics;
}

beforeAll(() => {
  cpSync(join(ROOT, 'biome.json'), join(tree, 'biome.json'));
  cpSync(join(ROOT, 'tools'), join(tree, 'tools'), { recursive: true });
  for (const [index, { text }] of PROBES.entries()) {
    mkdirSync(dirname(join(tree, pathOf(index))), { recursive: true });
    writeFileSync(join(tree, pathOf(index)), text);
  }
  for (const { category, location } of lint(['src', 'workers'])) {
    const path = relative(tree, join(tree, location.path));
    broken.set(path, [...(broken.get(path) ?? []), category.split('/').at(-1) ?? '']);
  }
}, 30_000);

afterAll(() => rmSync(tree, { recursive: true, force: true }));

test.each(PROBES.map((probe, index) => ({ ...probe, index })))('$folder: $text', ({ index, breaks }) => {
  expect(broken.get(pathOf(index)) ?? []).toEqual(breaks === undefined ? [] : [breaks]);
});

test('a file of the lowest level imports no folder', () => {
  writeFileSync(join(tree, 'src', 'errors.ts'), importing('./job/job.ts'));
  writeFileSync(join(tree, 'src', 'clock.ts'), importing('./errors.ts'));
  const found = lint(['src/errors.ts', 'src/clock.ts']);
  expect(found.map(({ location }) => location.path)).toEqual(['src/errors.ts']);
});
