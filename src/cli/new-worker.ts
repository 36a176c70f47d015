/** `sluice new worker SendWelcome`: a .proto, a worker and its test, which pass as they are. Nothing is overwritten. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { SluiceError } from '../errors.ts';
import { EXIT } from './exit.ts';
import { printJson, printLines } from './output.ts';

const SHAPE_VERSION = 1;

export interface NewWorkerFlags {
  /** Full name of the message type. Default: `<package>.v1.<Name>` with the project's name for the package. */
  readonly message?: string;
  readonly workers: string;
  readonly proto: string;
  readonly json?: boolean;
}

export async function newWorkerCommand(name: string, flags: NewWorkerFlags): Promise<number> {
  const files = newWorker(name, flags);
  if (flags.json) {
    printJson({ version: SHAPE_VERSION, files });
    return EXIT.ok;
  }
  printLines(files);
  process.stderr.write(`\nNext: sluice types, then ${testCommand(files.at(-1) ?? '')}\n`);
  return EXIT.ok;
}

/** Sluice's own checkout holds no compiled package; there, npm scripts lead to its sources. */
function testCommand(file: string): string {
  const isCheckout = existsSync(join('src', 'cli', 'main.ts')) && existsSync(join('bin', 'sluice.js'));
  return isCheckout ? 'npm run test:workers' : `node --test ${file}`;
}

/** Writes the files and answers their paths; throws USAGE when a name cannot be used or a file exists. */
export function newWorker(name: string, { message, workers, proto }: NewWorkerFlags): string[] {
  if (!/^[A-Z][A-Za-z0-9]{0,99}$/.test(name)) {
    throw new SluiceError('USAGE', `"${name}" is not allowed; allowed: a message's name such as SendWelcome`);
  }
  const type = message ?? `${projectPackage()}.v1.${name}`;
  if (!/^([a-z][a-z0-9_]*\.)+[A-Z][A-Za-z0-9]*$/.test(type)) {
    throw new SluiceError(
      'USAGE',
      `--message: "${type}" is not allowed; allowed: a package and a name such as acme.email.v1.SendWelcome`,
    );
  }
  const file = kebab(name);
  const protoFile = join(proto, ...type.split('.').slice(0, -1), `${file.replaceAll('-', '_')}.proto`);
  const workerFile = join(workers, `${file}.ts`);
  const testFile = join(workers, `${file}.test.ts`);
  const texts: [string, string][] = [
    [protoFile, protoText(type)],
    [workerFile, workerText(type, file)],
    [testFile, testText(type, file, toUrlPath(relative(dirname(testFile), proto)))],
  ];
  for (const [path] of texts)
    if (existsSync(path)) throw new SluiceError('USAGE', `${path} exists; nothing was written`);
  for (const [path, text] of texts) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return texts.map(([path]) => path);
}

/** The project's name as a protobuf package. */
function projectPackage(): string {
  const name = existsSync('package.json')
    ? (JSON.parse(readFileSync('package.json', 'utf8')) as { name?: string }).name
    : undefined;
  const words = (name ?? '').toLowerCase().match(/[a-z0-9]+/g) ?? [];
  const joined = words.join('_').replace(/^\d+_?/, '');
  return joined === '' || joined === 'sluice' ? 'app' : joined;
}

function kebab(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$1$3-$2').toLowerCase();
}

function protoText(type: string): string {
  const steps = type.split('.');
  return `syntax = "proto3";

package ${steps.slice(0, -1).join('.')};

message ${steps.at(-1)} {
  uint64 user_id = 1;
  string email = 2;
}
`;
}

function workerText(type: string, file: string): string {
  return `import { dead, defineWorker } from 'sluice';

export default defineWorker('${type}', {
  queue: '${file}',
  attempts: 10,
  async run(message, { log }) {
    if (message.email === '') return dead('email: nobody to write to');
    log.info({ userId: String(message.userId) }, 'ran');
  },
});
`;
}

/** Relative paths in a URL part their steps by slashes on every system. */
function toUrlPath(path: string): string {
  return path.split(sep).join('/');
}

function testText(type: string, file: string, proto: string): string {
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { perform } from 'sluice/testing';
import worker from './${file}.ts';

const proto = [fileURLToPath(new URL('${proto}', import.meta.url))];

test('${type} is done', async () => {
  const { outcome } = await perform(worker, { userId: 7n, email: 'ada@example.com' }, { proto });
  assert.equal(outcome.kind, 'done');
});

test('${type} without an address is dead', async () => {
  const { outcome } = await perform(worker, { userId: 7n }, { proto });
  assert.equal(outcome.kind, 'dead');
});
`;
}
