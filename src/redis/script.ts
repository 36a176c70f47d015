/**
 * Lua scripts of ours, one file each under lua/. A script is sent by its hash and, when Redis does not know it
 * (a restart, SCRIPT FLUSH), once more as text; a script that was refused as unknown has not run.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import type { Redis } from './connection.ts';

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

export async function runScript(
  redis: Redis,
  { sha, text }: Script,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
    return redis.eval(text, keys.length, ...keys, ...args);
  }
}
