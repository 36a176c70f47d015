/**
 * Which Lua adds the jobs: ours, which was compared with BullMQ's key by key, or, when another BullMQ than the
 * compared one is installed, BullMQ's own text, called once a job inside the same fenced script. That one is slower
 * and right by construction.
 */
import type { Log } from '../../log.ts';
import { lua } from '../../redis/script.ts';
import { asFunction, digestOf, stockText } from './stock-scripts.ts';

const NAMES = ['addStandardJob', 'addPrioritizedJob', 'addDelayedJob'] as const;

/** Digest of the three scripts that add-bullmq.lua stands for (BullMQ 6.7.0). */
const TESTED_DIGEST = '1e13bdc9ceabf138';

/** The installed BullMQ's text of the scripts that add a job, by name. */
export function installedScripts(): Record<(typeof NAMES)[number], string> {
  const [addStandardJob, addPrioritizedJob, addDelayedJob] = NAMES.map((name) => stockText(name)) as [
    string,
    string,
    string,
  ];
  return { addStandardJob, addPrioritizedJob, addDelayedJob };
}

/** Each of BullMQ's scripts as a function of its KEYS and ARGV, behind the adder's three names. */
export function stockAdder(scripts = installedScripts()): string {
  const functions = NAMES.map((name) => asFunction(name, scripts[name]));
  return [...functions, lua('add-bullmq-checks'), lua('add-bullmq-stock')].join('\n');
}

export function ownAdder(): string {
  return [lua('add-bullmq-checks'), lua('add-bullmq')].join('\n');
}

export function chooseAdder(log: Log): { adder: string; isStock: boolean } {
  const scripts = installedScripts();
  if (digestOf(scripts) === TESTED_DIGEST) return { adder: ownAdder(), isStock: false };
  log.warn({}, 'the installed BullMQ is another than the tested one: its own scripts add the jobs, more slowly');
  return { adder: stockAdder(scripts), isStock: true };
}
