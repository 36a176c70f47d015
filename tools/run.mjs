// Runs a command of the project from a bare checkout: installs the packages when they are missing or older than the
// lockfile, then starts the command with the project's own Node first on the PATH. Plain JavaScript without imports
// from the project, so that an old Node can run it.
//   node tools/run.mjs COMMAND [ARGUMENT...]
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
const installed = join(root, 'node_modules', '.package-lock.json');

function run(command, args, env = process.env) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  if (error) {
    process.stderr.write(`${command}: ${error.message}\n`);
    process.exit(1);
  }
  return signal ? 130 : status;
}

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) {
  process.stderr.write('installing packages...\n');
  // Not `npm ci`: it refuses a lockfile without the binaries of systems that the registry in use does not offer.
  const { status, stdout, stderr } = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status !== 0) {
    process.stderr.write(`${stdout}${stderr}`);
    process.exit(1);
  }
}

// What a person types to interrupt goes to the whole group; the command decides when it ends.
process.on('SIGINT', () => {});
const [command, ...args] = process.argv.slice(2);
const local = join(bin, command);
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
process.exit(run(existsSync(local) ? local : command, args, env));
