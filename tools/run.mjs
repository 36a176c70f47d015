// Runs a command of the project from a bare checkout: installs the packages when they are missing or older than the
// lockfile, then starts the command with the project's own Node first on the PATH, passes on the signals that it gets,
// and ends as the command ends. Plain JavaScript without imports from the project, so that an old Node can run it.
//   node tools/run.mjs COMMAND [ARGUMENT...]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync, utimesSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
const installed = join(root, 'node_modules', '.package-lock.json');

function isInstalled() {
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

function install() {
  process.stderr.write('installing packages...\n');
  // Not `npm ci`: it refuses a lockfile without the binaries of systems that the registry in use does not offer.
  const args = ['install', '--no-save', '--no-audit', '--no-fund'];
  const { status, error, stdout, stderr } = spawnSync('npm', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  if (status !== 0) {
    process.stderr.write(error ? `npm: ${error.message}\n` : `${stdout}${stderr}`);
    process.exit(1);
  }
  // Where nothing was to do, npm leaves its record as old as it is, and the next command would install again.
  utimesSync(installed, new Date(), new Date());
}

function start(command, args) {
  const local = join(bin, command);
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const child = spawn(existsSync(local) ? local : command, args, { cwd: root, stdio: 'inherit', env });
  child.on('error', (error) => {
    process.stderr.write(`${command}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
  // What a person types to interrupt goes to the whole group already.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
}

const [command, ...args] = process.argv.slice(2);
if (command === undefined) {
  process.stderr.write('usage: node tools/run.mjs COMMAND [ARGUMENT...]\n');
  process.exit(2);
}
if (!isInstalled()) install();
start(command, args);
