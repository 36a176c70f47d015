/**
 * The sink of Sidekiq queues: one script call a batch, with the ledger inside. What becomes of a job is told to the ledger
 * by whoever runs it, a Ruby process with the middleware or a host of Sluice's; the queues themselves cannot be asked.
 */

import { groupMark, idOfGroup } from '../../job/identity.ts';
import { objectText, textOf } from '../../job/json-members.ts';
import { leftText } from '../../job/place-sidekiq.ts';
import { type Dialect, enqueuedHead, untracked } from '../../job/sidekiq-job.ts';
import type { Redis } from '../../redis/connection.ts';
import { ledgerKey } from '../../redis/keys.ts';
import { ALLOW_OOM, lua, type Script, script } from '../../redis/script.ts';
import { unpacked } from '../jobs.ts';
import { createLedger, idPrefix, LEDGER } from '../ledger.ts';
import { fenced, refusal } from '../ledger-replies.ts';
import type { Claim, Jobs, Ledger, SidekiqSink } from '../sink.ts';
import { deadJobReport } from './dead-job.ts';
import { dueText, Packing } from './packing.ts';

const ENQUEUE = script(LEDGER, lua('enqueue-sidekiq'));
const RECONCILE = script(ALLOW_OOM, LEDGER, lua('remove-sidekiq'), lua('reconcile'));
const REVIVE = script(LEDGER, lua('revive-sidekiq'));
const CONDEMN = script(LEDGER, lua('condemn-sidekiq'));
const GIVE_UP = script(LEDGER, lua('give-up-sidekiq'));
const FORGET_MOVED = script(LEDGER, lua('forget-moved-sidekiq'));
const BURY = script(LEDGER, lua('bury-sidekiq'));

const DEAD_A_LOOK = 200;

export interface SidekiqSinkOptions {
  /** The configured name of the Redis. */
  readonly name: string;
  /** A connection for `ledger` purposes. */
  readonly redis: Redis;
  readonly dialect: Dialect;
  /** Whether a record is finished with its job. */
  readonly isTracked: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function createSidekiqSink({ name, redis, dialect, isTracked, now }: SidekiqSinkOptions): SidekiqSink {
  const { claim, run, runPacked, ask, reconcile, ...ledger } = createLedger(name, redis);
  const { count, list } = isTracked ? ledger : waitingForNothing(ledger);

  /** A script that answers whether it did something. */
  async function attempt(what: Script, claim: Claim, expected: number, ...about: (string | number)[]) {
    const reply = await run<[string, number, string, number]>(what, claim, expected, ...about);
    return reply[0] === 'ok' ? reply[3] === 1 : fenced(reply[0], reply[1]);
  }

  return {
    isTracked,
    claim,
    count,
    list,

    async enqueue(claim, expected, batch) {
      const packing = packed(batch.jobs, now(), dialect);
      const args = [batch.last, isTracked ? 1 : 0, ...packing.arguments];
      const reply = await runPacked<[string, number, string, ...number[]]>(ENQUEUE, claim, expected, ...args);
      packing.answered();
      const [status, enqueued, , usedBytes = 0, created = 0, existed = 0, depth = 0] = reply;
      if (status === 'refused') return refusal(reply);
      if (status !== 'ok') return fenced(status, enqueued);
      return { status, enqueued, usedBytes, created, existed, depth };
    },

    reconcile: (of, finished) => reconcile(RECONCILE, of, [idPrefix(of), ''], isTracked ? finished : []),

    async inspect(claim, expected, from, budget) {
      const listed = await list(claim, expected, from, budget);
      if (listed.status !== 'ok') return listed;
      const dead = await ask(() => redis.hrandfield(`${ledgerKey(claim.ledger)}:x`, DEAD_A_LOOK));
      const deadJobs = (dead as string[]).map((offset) => ({ offset: Number(offset), queue: '' }));
      return { ...listed, completed: 0, gone: 0, dead: deadJobs };
    },

    report(claim, { offset }) {
      const key = `${ledgerKey(claim.ledger)}:x`;
      return ask(async () => deadJobReport(await redis.hget(key, String(offset))));
    },

    async bury(claim, expected, { offset }) {
      const text = await ask(() => redis.hget(`${ledgerKey(claim.ledger)}:x`, String(offset)));
      return text === null ? false : attempt(BURY, claim, expected, offset, text, untrackedText(text));
    },

    revive(claim, expected, { offset, job }) {
      const nowMs = now();
      const text = leftText(job, enqueuedHead(nowMs, dialect));
      return attempt(REVIVE, claim, expected, offset, job.queue, text, dueText(job, nowMs));
    },

    giveUp(claim, expected, offset, reason) {
      return attempt(GIVE_UP, claim, expected, offset, lostText(`${idPrefix(claim)}${offset}`, claim, reason));
    },

    condemn(claim, expected, offset, text) {
      return attempt(CONDEMN, claim, expected, offset, text, untrackedText(text));
    },

    moved: ({ ledger }) => ask(async () => (await redis.smembers(`${ledgerKey(ledger)}:m`)).map(Number)),

    forgetMoved: (claim, expected) => attempt(FORGET_MOVED, claim, expected),

    async depths(queues) {
      const pipeline = redis.pipeline();
      for (const queue of queues) pipeline.llen(`queue:${queue}`);
      const replies = (await pipeline.exec()) ?? [];
      return new Map(queues.map((queue, i) => [queue, Number(replies[i]?.[1] ?? 0)]));
    },
  };
}

/**
 * Where a record is finished by being enqueued, nothing is unsettled to the bridge. Entries that were made under another
 * setting stay in the ledger: to the hosts, a job without one is finished, and these are not.
 */
function waitingForNothing({ count, list }: Pick<Ledger, 'count' | 'list'>): Pick<Ledger, 'count' | 'list'> {
  return {
    async count(...about) {
      const counted = await count(...about);
      return counted.status === 'ok' ? { ...counted, blocks: [], changed: [] } : counted;
    },
    async list(...about) {
      const listed = await list(...about);
      return listed.status === 'ok' ? { ...listed, unsettled: [] } : listed;
    },
  };
}

/** Of a job that Ruby, or a host of ours, has written. */
function untrackedText(text: string): string {
  return textOf(untracked(objectText(text).members));
}

/** What nobody has any more, as far as a letter needs it. */
function lostText(id: string, { ledger }: Claim, reason: string): string {
  const source = idOfGroup(id, groupMark(ledger.group));
  return JSON.stringify({ error_class: 'Sluice::Lost', error_message: reason, sl: { source } });
}

function packed(jobs: Jobs, now: number, dialect: Dialect): Packing {
  if (jobs instanceof Packing) return jobs;
  const packing = new Packing(now, dialect);
  for (const { offset, job } of unpacked(jobs)) packing.add(offset, job);
  return packing;
}
