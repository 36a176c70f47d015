/** The sink of BullMQ queues: one script call a batch, with the ledger inside. */
import type { Redis } from '../../redis/connection.ts';
import { lua, type Script, script } from '../../redis/script.ts';
import { createLedger, idPrefix, LEDGER } from '../ledger.ts';
import { CHUNK, fenced, refusal } from '../ledger-replies.ts';
import type { BullSink } from '../sink.ts';
import { batchArguments } from './batch-arguments.ts';
import {
  deadJobReport,
  finishedPage,
  type InspectReply,
  inspected,
  REPORTED,
  type SettleReply,
  settled,
} from './replies.ts';
import { settleArguments } from './settle-arguments.ts';

const REMOVE = lua('remove-bullmq');
const RECONCILE = script(LEDGER, REMOVE, lua('reconcile'));
const INSPECT = script(LEDGER, REMOVE, lua('inspect-bullmq'));
const SETTLE = script(LEDGER, REMOVE, lua('settle-bullmq'));
const BURY = script(LEDGER, REMOVE, lua('bury-bullmq'));

const FINISHED_A_PAGE = 2_000;

/** Puts an adder into the enqueue script; see add-bullmq.lua for what it must define. */
export function enqueueScript(adder: string): Script {
  return script(LEDGER, adder, lua('enqueue-bullmq'));
}

export interface BullSinkOptions {
  /** The configured name of the Redis. */
  readonly name: string;
  /** A connection for `ledger` purposes. */
  readonly redis: Redis;
  /** BullMQ's key prefix. */
  readonly prefix: string;
  /** Text of the adder: ours, or BullMQ's own where ours is untested. */
  readonly adder: string;
}

export function createBullSink({ name, redis, prefix, adder }: BullSinkOptions): BullSink {
  const enqueue = enqueueScript(adder);
  const queuePrefix = (queue: string) => `${prefix}:${queue}:`;
  const { claim, count, list, run, ask, reconcile } = createLedger(name, redis);

  return {
    isTracked: true,
    claim,
    count,
    list,

    async enqueue(claim, expected, batch) {
      const reply = await run<[string, number, string, ...number[]]>(
        enqueue,
        claim,
        expected,
        batch.last,
        idPrefix(claim),
        ...batchArguments(batch, queuePrefix),
      );
      const [status, enqueued, , usedBytes = 0, created = 0, existed = 0, depth = 0] = reply;
      if (status === 'refused') return refusal(reply);
      if (status !== 'ok') return fenced(status, enqueued);
      return { status, enqueued, usedBytes, created, existed, depth };
    },

    reconcile: (of, finished) => reconcile(RECONCILE, of, [idPrefix(of), `${prefix}:`], finished),

    async inspect(claim, expected, from, budget) {
      const chunk = Math.floor(from / CHUNK);
      const reply = await run<InspectReply>(INSPECT, claim, expected, idPrefix(claim), `${prefix}:`, chunk, budget);
      return reply[0] === 'ok' ? inspected(reply, chunk * CHUNK) : fenced(reply[0], reply[1]);
    },

    async settle(claim, expected, queue, offsets) {
      const about = [idPrefix(claim), queuePrefix(queue), queue];
      const reply = await run<SettleReply>(SETTLE, claim, expected, ...about, ...settleArguments(offsets));
      return reply[0] === 'ok' ? settled(reply, offsets) : fenced(reply[0], reply[1]);
    },

    finishedSince(queue, state, since, now) {
      const key = `${queuePrefix(queue)}${state}`;
      return ask(async () => {
        const found = await redis.zrange(key, since, '+inf', 'BYSCORE', 'LIMIT', 0, FINISHED_A_PAGE, 'WITHSCORES');
        return finishedPage(found as string[], since, FINISHED_A_PAGE, now);
      });
    },

    report(claim, { offset, queue }) {
      const key = `${queuePrefix(queue)}${idPrefix(claim)}${offset}`;
      return ask(async () => deadJobReport(queue, await redis.hmget(key, ...REPORTED)));
    },

    async bury(claim, expected, { offset, queue }) {
      const id = `${idPrefix(claim)}${offset}`;
      const reply = await run<[string, number, string, number]>(
        BURY,
        claim,
        expected,
        id,
        queuePrefix(queue),
        queue,
        offset,
      );
      return reply[0] === 'ok' ? reply[3] === 1 : fenced(reply[0], reply[1]);
    },

    async depths(queues) {
      const pipeline = redis.pipeline();
      for (const queue of queues) pipeline.llen(`${queuePrefix(queue)}wait`).zcard(`${queuePrefix(queue)}prioritized`);
      const replies = (await pipeline.exec()) ?? [];
      const count = (at: number) => Number(replies[at]?.[1] ?? 0);
      return new Map(queues.map((queue, i) => [queue, count(2 * i) + count(2 * i + 1)]));
    },
  };
}
