/**
 * The sink of BullMQ queues: one script call a batch, with the ledger inside. A client that loses its connection
 * resends nothing; what became of a call is found out by the next one.
 */
import { randomUUID } from 'node:crypto';
import { jobIdPrefix } from '../../job/identity.ts';
import { bullOptions } from '../../job/options.ts';
import { disconnect, type Redis, redisError } from '../../redis/connection.ts';
import { ledgerKey } from '../../redis/keys.ts';
import { lua, runScript, type Script, script } from '../../redis/script.ts';
import type { Batch, Claim, Range, Sink } from '../sink.ts';
import { parseInfo } from './info.ts';
import {
  CHUNK,
  type CountReply,
  counted,
  deadJobReport,
  fenced,
  finishedPage,
  type InspectReply,
  inspected,
  type ListReply,
  listed,
  REPORTED,
  rangesFrom,
  refusal,
  type SettleReply,
  settled,
} from './replies.ts';

const LEDGER = lua('ledger');
const CLAIM = script(LEDGER, lua('claim'));
const COUNT = script(LEDGER, lua('count-unsettled'));
const LIST = script(LEDGER, lua('list-unsettled'));
const REMOVE = lua('remove-bullmq');
const RECONCILE = script(LEDGER, REMOVE, lua('reconcile-bullmq'));
const INSPECT = script(LEDGER, REMOVE, lua('inspect-bullmq'));
const SETTLE = script(LEDGER, REMOVE, lua('settle-bullmq'));
const BURY = script(LEDGER, REMOVE, lua('bury-bullmq'));

/** Finished ranges that are told in one call. */
const RANGES_A_CALL = 1_000;
/** Blocks that hosts have noted, told in one call. */
const CHANGED_A_CALL = 64;
const FINISHED_A_PAGE = 2_000;

/** Puts an adder into the enqueue script; see add-bullmq.lua for what it must define. */
export function enqueueScript(adder: string): Script {
  return script(LEDGER, adder, lua('enqueue-bullmq'));
}

export interface BullSinkOptions {
  /** The configured name of the Redis. */
  readonly name: string;
  /** A connection for `ledger` purposes; the sink closes it. */
  readonly redis: Redis;
  /** BullMQ's key prefix. */
  readonly prefix: string;
  /** Text of the adder: ours, or BullMQ's own where ours is untested. */
  readonly adder: string;
}

export function createBullSink({ name, redis, prefix, adder }: BullSinkOptions): Sink {
  const enqueue = enqueueScript(adder);
  const queuePrefix = (queue: string) => `${prefix}:${queue}:`;

  async function run<T extends unknown[]>(what: Script, claim: Claim, expected: number, ...rest: (string | number)[]) {
    return call<T>(what, [ledgerKey(claim.ledger)], [claim.token, claim.incarnation, expected, ...rest]);
  }

  async function call<T>(what: Script, keys: string[], args: (string | number)[]): Promise<T> {
    try {
      return (await runScript(redis, what, keys, args)) as T;
    } catch (error) {
      throw redisError(name, error);
    }
  }

  return {
    name,

    async claim(ledger, generation) {
      const token = randomUUID();
      const [status, enqueued, incarnation, reconciled, known] = await call<[string, number, string, string, number]>(
        CLAIM,
        [ledgerKey(ledger)],
        [token, jobIdPrefix(ledger.topic, generation, ledger.partition)],
      );
      if (status !== 'ok') return { status: status === 'newer' ? status : 'corrupt', generation: known };
      return { ledger, generation, token, incarnation, enqueued, isReconciled: reconciled === incarnation };
    },

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

    async reconcile(claim, finished) {
      let removed = 0;
      for (let chunk = 0, rest = finished; chunk >= 0; rest = rangesFrom(rest, chunk * CHUNK)) {
        const told = rest.slice(0, RANGES_A_CALL);
        const limit = told.length < rest.length ? (told.at(-1) as Range).end : Number.MAX_SAFE_INTEGER;
        const pairs = told.flatMap(({ start, end }) => [start, end]);
        const about = [idPrefix(claim), `${prefix}:`, chunk, limit];
        const reply = await run<[string, number, string, number, number]>(
          RECONCILE,
          claim,
          claim.enqueued,
          ...about,
          ...pairs,
        );
        if (reply[0] !== 'ok') return fenced(reply[0], reply[1]);
        removed += reply[3];
        chunk = reply[4];
      }
      return { status: 'ok', removed };
    },

    async count(claim, expected, from, budget) {
      const chunk = Math.floor(from / CHUNK);
      const reply = await run<CountReply>(COUNT, claim, expected, chunk, budget, CHANGED_A_CALL);
      return reply[0] === 'ok' ? counted(reply, chunk * CHUNK) : fenced(reply[0], reply[1]);
    },

    async list(claim, expected, from, budget) {
      const chunk = Math.floor(from / CHUNK);
      const reply = await run<ListReply>(LIST, claim, expected, chunk, budget);
      return reply[0] === 'ok' ? listed(reply, chunk * CHUNK) : fenced(reply[0], reply[1]);
    },

    async inspect(claim, expected, from, budget) {
      const chunk = Math.floor(from / CHUNK);
      const reply = await run<InspectReply>(INSPECT, claim, expected, idPrefix(claim), `${prefix}:`, chunk, budget);
      return reply[0] === 'ok' ? inspected(reply, chunk * CHUNK) : fenced(reply[0], reply[1]);
    },

    async settle(claim, expected, queue, offsets) {
      const about = [idPrefix(claim), queuePrefix(queue), queue];
      const reply = await run<SettleReply>(SETTLE, claim, expected, ...about, ...offsets);
      return reply[0] === 'ok' ? settled(reply) : fenced(reply[0], reply[1]);
    },

    async finishedSince(queue, state, since, now) {
      const key = `${queuePrefix(queue)}${state}`;
      try {
        const found = await redis.zrange(key, since, '+inf', 'BYSCORE', 'LIMIT', 0, FINISHED_A_PAGE, 'WITHSCORES');
        return finishedPage(found as string[], since, FINISHED_A_PAGE, now);
      } catch (error) {
        throw redisError(name, error);
      }
    },

    async report(claim, { offset, queue }) {
      const key = `${queuePrefix(queue)}${idPrefix(claim)}${offset}`;
      try {
        return deadJobReport(await redis.hmget(key, ...REPORTED));
      } catch (error) {
        throw redisError(name, error);
      }
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

    async memory() {
      try {
        return parseInfo(await redis.info());
      } catch (error) {
        throw redisError(name, error);
      }
    },

    async depths(queues) {
      const pipeline = redis.pipeline();
      for (const queue of queues) pipeline.llen(`${queuePrefix(queue)}wait`).zcard(`${queuePrefix(queue)}prioritized`);
      const replies = (await pipeline.exec()) ?? [];
      const count = (at: number) => Number(replies[at]?.[1] ?? 0);
      return new Map(queues.map((queue, i) => [queue, count(2 * i) + count(2 * i + 1)]));
    },

    close: () => disconnect(redis),
  };
}

function idPrefix({ ledger, generation }: Claim): string {
  return jobIdPrefix(ledger.topic, generation, ledger.partition);
}

function batchArguments({ jobs }: Batch, queuePrefix: (queue: string) => string): (string | number)[] {
  const queues = new Map<string, number>();
  const body: (string | number)[] = [];
  for (const { offset, job } of jobs) {
    let index = queues.get(job.queue);
    if (index === undefined) {
      index = queues.size + 1;
      queues.set(job.queue, index);
    }
    const options = JSON.stringify(bullOptions(job, true));
    body.push(offset, index, job.name, job.data, options, job.timestamp, job.delayMs, job.priority);
  }
  const head = [...queues.keys()].flatMap((queue) => [queue, queuePrefix(queue)]);
  return [queues.size, ...head, ...body];
}
