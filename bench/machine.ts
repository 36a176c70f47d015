/** What the machine says of a process, read from outside of it: the kernel's own account in /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/** Microseconds that the process and its descendants have spent on a core, all threads. What has ended meanwhile is missing. */
export function cpuUsec(pid: number): number {
  return familyOf(pid).reduce((sum, each) => sum + ownCpuUsec(each), 0);
}

/** Of the process and its descendants. */
export function residentMib(pid: number): number {
  const kib = familyOf(pid).map((each) => Number(/VmRSS:\s+(\d+)/.exec(contentOf(`/proc/${each}/status`))?.[1] ?? 0));
  return Math.round(kib.reduce((sum, each) => sum + each, 0) / 1_024);
}

/** Processes that want a core at the moment, by the kernel's average over a minute. */
export function load(): number {
  return Number(contentOf('/proc/loadavg').split(' ')[0] ?? 0);
}

export const MACHINE = {
  cores: cpus().length,
  processor: cpus()[0]?.model.trim() ?? '',
  memoryGib: Math.round(totalmem() / 1024 ** 3),
  node: process.version,
};

function familyOf(pid: number): number[] {
  const children = tasksOf(pid).flatMap((task) => contentOf(`/proc/${pid}/task/${task}/children`).split(' '));
  return [pid, ...children.filter((child) => child.trim() !== '').flatMap((child) => familyOf(Number(child)))];
}

function ownCpuUsec(pid: number): number {
  const nanoseconds = tasksOf(pid).map((task) =>
    Number(contentOf(`/proc/${pid}/task/${task}/schedstat`).split(' ')[0] ?? 0),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1_000;
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Empty for what has ended. */
function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
