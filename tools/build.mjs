// Compiles src/ into dist/ and puts beside it what is no TypeScript: the Lua scripts, and the fault kit's proto.
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync('dist', { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
cpSync('src/faults/load/probe.proto', 'dist/faults/load/probe.proto');
cpSync('src/redis/lua', 'dist/redis/lua', { recursive: true });
