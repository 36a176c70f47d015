/**
 * Lua scripts of ours, one file each under lua/. A script is sent by its hash and, when Redis does not know it
 * (a restart, SCRIPT FLUSH), once more as text; a script that was refused as unknown has not run.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import type { Redis } from './connection.ts';
import { type PackableArgument, PackedCommand } from './packed.ts';
import { YoungCommand } from './young-command.ts';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Joins the parts, in order, into one script. */
export function script(...parts: readonly string[]): Script {
  const text = parts.join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** The text of `lua/<name>.lua`. */
export function lua(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}

/** Stands first in a script that makes room in Redis, or lets others: it has to work when Redis is full. */
export const ALLOW_OOM = '#!lua flags=allow-oom';

type Arguments = readonly (string | number | Buffer)[];

export function runScript(redis: Redis, script: Script, keys: readonly string[], args: Arguments): Promise<unknown> {
  return run(redis, script, keys, args, 'utf8');
}

/** Answers with bytes where Redis does: what a job holds need not be text. */
export function runScriptForBytes(
  redis: Redis,
  script: Script,
  keys: readonly string[],
  args: Arguments,
): Promise<unknown> {
  return run(redis, script, keys, args, null);
}

function run(
  redis: Redis,
  { sha, text }: Script,
  keys: readonly string[],
  args: Arguments,
  encoding: 'utf8' | null,
): Promise<unknown> {
  const send = async (name: string, what: string) =>
    redis.sendCommand(new YoungCommand(name, [what, keys.length, ...keys, ...args], encoding));
  return onceMoreAsText(
    () => send('evalsha', sha),
    () => send('eval', text),
  );
}

/** As `runScript`, of arguments that may be packed. */
export function runPackedScript(
  redis: Redis,
  { sha, text }: Script,
  keys: readonly string[],
  args: readonly PackableArgument[],
): Promise<unknown> {
  const send = async (name: string, what: string) =>
    redis.sendCommand(new PackedCommand(name, [what, keys.length, ...keys], args));
  return onceMoreAsText(
    () => send('evalsha', sha),
    () => send('eval', text),
  );
}

async function onceMoreAsText(byHash: () => Promise<unknown>, byText: () => Promise<unknown>): Promise<unknown> {
  try {
    return await byHash();
  } catch (error) {
    if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
    return byText();
  }
}
