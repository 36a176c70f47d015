#!/usr/bin/env node
// The command `sluice`. In the project's checkout it runs the TypeScript sources as they are; the published
// package holds none, and runs the compiled ones. Plain JavaScript, so that an old Node reads it and is told.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`sluice: Node 22.19 or newer is needed, this is ${process.versions.node}\n`);
  process.exit(3);
}
// Jobs live for milliseconds. Where V8 has once seen many of some kind survive, it places all further ones among its old objects,
// and they keep what they can reach until the next full collection.
const { setFlagsFromString } = await import('node:v8');
setFlagsFromString('--no-allocation-site-pretenuring');
const { existsSync } = await import('node:fs');
const { enableCompileCache, registerHooks } = await import('node:module');
// Half of a start is compiling what did not change since the last one. Kept where nobody else can write: it is believed.
// Where nothing can be kept, nothing happens.
const { homedir } = await import('node:os');
const { join } = await import('node:path');
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sluice'));
const source = new URL('../src/cli/main.ts', import.meta.url);
if (existsSync(source)) {
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, 'sluice-source'] }),
  });
  await import(source.href);
} else {
  await import('../dist/cli/main.js');
}
