/**
 * One process at a time works on a stack. The lock is a file that names its owner; it appears in one piece, and one
 * whose owner is gone (or whose id a later process has) is taken over by exactly one of those who wait.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LOCK_WITHIN_MS = 300_000;
const LOOK_AGAIN_MS = 100;
let calls = 0;

export async function withLock<T>(dir: string, work: () => Promise<T>): Promise<T> {
  const lock = join(dir, 'lock');
  const own = `${lock}.${process.pid}.${++calls}`;
  writeFileSync(own, identity(process.pid));
  try {
    await take(lock, own);
    try {
      return await work();
    } finally {
      rmSync(lock, { force: true });
    }
  } finally {
    rmSync(own, { force: true });
  }
}

async function take(lock: string, own: string): Promise<void> {
  const deadline = Date.now() + LOCK_WITHIN_MS;
  while (!linked(own, lock)) {
    if (isStale(textOf(lock))) takeAway(lock, own);
    else await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
    if (Date.now() > deadline) throw new Error(`another process works on the stack; if not, remove ${lock}`);
  }
}

function linked(own: string, lock: string): boolean {
  try {
    linkSync(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moved aside before it goes: should it be a new owner's after all, it is put back. */
function takeAway(lock: string, own: string): void {
  const aside = `${own}.stale`;
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  if (!isStale(textOf(aside))) linked(aside, lock);
  rmSync(aside, { force: true });
}

function isStale(text: string | undefined): boolean {
  return text !== undefined && identity(Number(text.split(' ')[0])) !== text;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** The id and, where the system tells it, the time of its start; empty when there is no such process. */
function identity(pid: number): string {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return '';
  }
  // Field 22 of proc(5); the name before it may hold blanks and ends with a bracket.
  const startedAt = textOf(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')[19] ?? '';
  return `${pid} ${startedAt}`;
}
