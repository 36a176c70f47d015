/** Several bridges of one group, each a process; they end with this one. Their settings are in the environment. */
import { type ChildProcess, spawn } from 'node:child_process';

const bridges: ChildProcess[] = Array.from({ length: Number(process.argv[2]) }, () =>
  spawn(process.execPath, ['--no-warnings', 'bin/sluice.js', 'bridge'], { stdio: ['ignore', 'ignore', 'inherit'] }),
);
process.once('SIGTERM', () => {
  for (const bridge of bridges) bridge.kill('SIGKILL');
  process.exit(0);
});
