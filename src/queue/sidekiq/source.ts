/**
 * Takes jobs from Sidekiq queues so that none is lost when its host dies, and puts down what became of each, with its
 * statistics and its ledger's entry, in one script. A job that runs lies in a private list; where it does not any more, it
 * was taken over, and nothing happens to it. Rejects with the errors of the Redis client; every call may be repeated.
 */
import type { Redis } from '../../redis/connection.ts';
import {
  SIDEKIQ_ALIVE,
  SIDEKIQ_PRIVATE_LISTS,
  SIDEKIQ_RECOVERIES,
  sidekiqPrivateKey,
  sourcesKey,
} from '../../redis/keys.ts';
import { ALLOW_OOM, lua, runScript, runScriptForBytes, type Script, script } from '../../redis/script.ts';

const MOST_RECOVERIES = 3;
const RECOVERIES_KEPT_S = 72 * 3600;

/** `lua/<name>-sidekiq.lua` with what it stands on. */
export function sidekiqScript(name: string): Script {
  return script(ALLOW_OOM, lua('ledger'), lua('entries'), lua('held-sidekiq'), lua(`${name}-sidekiq`));
}

const TAKE = sidekiqScript('take');
const FINISH = sidekiqScript('finish');
const POSTPONE = sidekiqScript('postpone');
const KILL = sidekiqScript('kill');
const RETURN = sidekiqScript('return');
const RECOVER = sidekiqScript('recover');

export interface Taken {
  readonly queue: string;
  /** As it lay on its queue, to the byte. */
  readonly raw: Buffer;
  /** It says that it is from Kafka, and no ledger waits for it: finished, unless somebody has it run once more. */
  readonly isUnknown?: boolean;
}

/** What a job needs to be put down. */
export interface HeldJob extends Taken {
  /** The host that holds it. */
  readonly privateKey: string;
  readonly source: string | undefined;
}

/** `day`, such as `2026-01-31`, counts a run in Sidekiq's statistics; nothing is counted without one. */
export type Settlement =
  | { readonly kind: 'finish'; readonly day?: string }
  | {
      readonly kind: 'postpone';
      readonly set: 'retry' | 'schedule';
      readonly text: string;
      readonly waitMs: number;
      readonly day?: string;
    }
  | { readonly kind: 'kill'; readonly text: string | Buffer; readonly isKept: boolean; readonly day?: string }
  | { readonly kind: 'return' };

export type Take =
  | { readonly kind: 'silent' }
  | {
      readonly kind: 'taken';
      readonly jobs: readonly Taken[];
      readonly refused: number;
      readonly nowMs: number;
    };

export interface SidekiqSource {
  readonly identity: string;
  /** Up to so many jobs from the queues in this order. `silent`: this host is not known to be alive. */
  take(most: number, queues: readonly string[]): Promise<Take>;
  /** Whether it still was this host's. */
  settle(job: HeldJob, settlement: Settlement): Promise<boolean>;
  /** Puts back what dead hosts held; answers how many, and those that have taken too many hosts down. */
  recover(): Promise<{ readonly recovered: number; readonly poisoned: readonly (Taken & { privateKey: string })[] }>;
  /** How many jobs of each queue this host holds by Redis's account. */
  counts(queues: readonly string[]): Promise<number[]>;
  /** The jobs of one queue that this host holds by Redis's account. */
  list(queue: string): Promise<Buffer[]>;
}

export function createSidekiqSource(redis: Redis, identity: string): SidekiqSource {
  const sources = sourcesKey();

  return {
    identity,

    async take(most, queues) {
      const keys = [SIDEKIQ_ALIVE + identity, SIDEKIQ_PRIVATE_LISTS, ...queues.map((queue) => `queue:${queue}`)];
      const reply = (await runScriptForBytes(redis, TAKE, keys, [identity, sources, most, ...queues])) as unknown[];
      const [status, nowMs, refused, ...rest] = reply;
      if (String(status) === 'silent') return { kind: 'silent' };
      const jobs = triples(rest).map(([place, isUnknown, raw]) => ({
        queue: queues[place as number] as string,
        raw: raw as Buffer,
        isUnknown: isUnknown === 1,
      }));
      return { kind: 'taken', jobs, refused: refused as number, nowMs: Number(String(nowMs)) };
    },

    async settle(job, settlement) {
      const { script: chosen, keys, args } = callOf(job, settlement);
      const all = [job.raw, sources, job.source ?? '', ...args];
      return (await runScript(redis, chosen, [job.privateKey, ...keys], all)) === 1;
    },

    async recover() {
      const args = [sources, SIDEKIQ_ALIVE, SIDEKIQ_RECOVERIES, RECOVERIES_KEPT_S, MOST_RECOVERIES];
      const reply = await runScriptForBytes(redis, RECOVER, [SIDEKIQ_PRIVATE_LISTS, 'queues'], args);
      const [recovered, ...rest] = reply as [number, ...Buffer[]];
      const poisoned = triples(rest).map(([queue, privateKey, raw]) => ({
        queue: String(queue),
        privateKey: String(privateKey),
        raw: raw as Buffer,
      }));
      return { recovered, poisoned };
    },

    counts: (queues) => Promise.all(queues.map((queue) => redis.llen(sidekiqPrivateKey(queue, identity)))),
    list: (queue) => redis.lrangeBuffer(sidekiqPrivateKey(queue, identity), 0, -1),
  };
}

interface Call {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number | Buffer)[];
}

function callOf({ queue }: HeldJob, settlement: Settlement): Call {
  switch (settlement.kind) {
    case 'finish':
      return { script: FINISH, keys: [], args: [settlement.day ?? ''] };
    case 'postpone': {
      const { set, text, waitMs, day = '' } = settlement;
      return { script: POSTPONE, keys: [set], args: [day, text, waitMs] };
    }
    case 'kill': {
      const { text, isKept, day = '' } = settlement;
      return { script: KILL, keys: ['dead'], args: [day, text, isKept ? 1 : 0] };
    }
    case 'return':
      return { script: RETURN, keys: [`queue:${queue}`, 'queues'], args: [queue] };
  }
}

function triples(flat: readonly unknown[]): [unknown, unknown, unknown][] {
  return Array.from({ length: flat.length / 3 }, (_, i) => [flat[3 * i], flat[3 * i + 1], flat[3 * i + 2]]);
}
