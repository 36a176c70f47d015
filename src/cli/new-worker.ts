/** `sluice new worker SendWelcome`: a .proto, a worker and its test, which pass as they are. Nothing is overwritten. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { messageOf, SluiceError } from '../errors.ts';
import { EXIT } from './exit.ts';
import { printJson, printLines } from './output.ts';
import { protoText, testText, workerText } from './worker-files.ts';

const SHAPE_VERSION = 1;

export interface NewWorkerFlags {
  /** Full name of the message type. Default: `<package>.v1.<Name>` with the project's name for the package. */
  readonly message?: string;
  readonly workers: string;
  readonly proto: string;
  readonly json?: boolean;
}

export async function newWorkerCommand(name: string, flags: NewWorkerFlags): Promise<number> {
  const { type, files } = newWorker(name, flags);
  if (flags.json) {
    printJson({ version: SHAPE_VERSION, message: type, files });
    return EXIT.ok;
  }
  printLines(files);
  process.stderr.write(`\n${nextSteps(type, files.at(-1) ?? '').join('\n')}\n`);
  return EXIT.ok;
}

function nextSteps(type: string, testFile: string): string[] {
  const [sluice, test] = commandsHere(testFile);
  const example = `'{"userId": "7", "email": "ada@example.com"}'`;
  return [
    `Next: ${sluice} types`,
    `      ${test}`,
    `      ${sluice} up, and then: ${sluice} produce ${type} --json ${example}`,
    ...compilerNote(),
  ];
}

/** Sluice's own checkout holds no compiled package; there, npm scripts lead to its sources. */
function commandsHere(testFile: string): [sluice: string, test: string] {
  const isCheckout = existsSync(join('src', 'cli', 'main.ts')) && existsSync(join('bin', 'sluice.js'));
  return isCheckout ? ['npm run sluice --', 'npm run test:workers'] : ['npx sluice', `node --test ${testFile}`];
}

/** Node wants the `.ts` of an import; the compiler wants to be told that it may be there. */
function compilerNote(): string[] {
  const options = existsSync('tsconfig.json') ? readFileSync('tsconfig.json', 'utf8') : undefined;
  if (options === undefined || /allowImportingTsExtensions|rewriteRelativeImportExtensions/.test(options)) return [];
  return [
    'For tsc, tsconfig.json needs "rewriteRelativeImportExtensions": true (or, with "noEmit", ' +
      '"allowImportingTsExtensions": true): the test imports the worker by its full name, as Node runs it.',
  ];
}

/** Writes the files and answers their paths; throws USAGE when a name cannot be used or a file exists. */
export function newWorker(
  name: string,
  { message, workers, proto }: NewWorkerFlags,
): { readonly type: string; readonly files: readonly string[] } {
  if (!/^[A-Z][A-Za-z0-9]{0,99}$/.test(name)) {
    const pascal = pascalCase(name);
    const offer = pascal === '' ? '' : `; did you mean "${pascal}"?`;
    throw new SluiceError('USAGE', `"${name}" is not allowed${offer}; allowed: a message's name such as SendWelcome`);
  }
  const project = projectHere();
  const type = message ?? `${packageOf(project)}.v1.${name}`;
  if (!/^([a-z][a-z0-9_]*\.)+[A-Z][A-Za-z0-9]*$/.test(type)) {
    throw new SluiceError(
      'USAGE',
      `--message: "${type}" is not allowed; allowed: a package and a name such as acme.email.v1.SendWelcome`,
    );
  }
  const file = kebab(name);
  const protoFile = join(proto, ...type.split('.').slice(0, -1), `${file.replaceAll('-', '_')}.proto`);
  const ending = isModule(project) ? 'ts' : 'mts';
  const workerFile = join(workers, `${file}.${ending}`);
  const testFile = join(workers, `${file}.test.${ending}`);
  const texts: [string, string][] = [
    [protoFile, protoText(type)],
    [workerFile, workerText(type, file)],
    [testFile, testText(type, `${file}.${ending}`, toUrlPath(relative(dirname(testFile), proto)))],
  ];
  for (const [path] of texts)
    if (existsSync(path)) throw new SluiceError('USAGE', `${path} exists; nothing was written`);
  for (const [path, text] of texts) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return { type, files: texts.map(([path]) => path) };
}

interface Project {
  readonly name?: string;
  readonly type?: string;
}

/** What package.json says of the project; undefined where there is none. */
function projectHere(): Project | undefined {
  if (!existsSync('package.json')) return undefined;
  try {
    return JSON.parse(readFileSync('package.json', 'utf8')) as Project;
  } catch (error) {
    throw new SluiceError('USAGE', `package.json: ${messageOf(error)}`);
  }
}

/** Elsewhere Node takes .ts for CommonJS, as in what `npm init` writes; .mts is a module everywhere. */
function isModule(project: Project | undefined): boolean {
  return project === undefined || project.type === 'module';
}

/** The project's name as a protobuf package. */
function packageOf(project: Project | undefined): string {
  const words = (project?.name ?? '').toLowerCase().match(/[a-z0-9]+/g) ?? [];
  const joined = words.join('_').replace(/^\d+_?/, '');
  return joined === '' || joined === 'sluice' ? 'app' : joined;
}

/** `send-bye`, `send_bye` and `send bye` as a message's name; empty when there is no such name in it. */
function pascalCase(name: string): string {
  const words = name.match(/[A-Za-z][A-Za-z0-9]*/g) ?? [];
  return words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('');
}

function kebab(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$1$3-$2').toLowerCase();
}

/** Relative paths in a URL part their steps by slashes on every system. */
function toUrlPath(path: string): string {
  return path.split(sep).join('/');
}
