/**
 * The sink of BullMQ queues: one script call a batch, with the ledger inside. A client that loses its connection
 * resends nothing; what became of a call is found out by the next one.
 */
import { randomUUID } from 'node:crypto';
import { jobIdPrefix } from '../../job/identity.ts';
import { aboutIn, bullOptions } from '../../job/options.ts';
import { disconnect, type Redis, redisError } from '../../redis/connection.ts';
import { ledgerKey } from '../../redis/keys.ts';
import { lua, runScript, type Script, script } from '../../redis/script.ts';
import type { Batch, Claim, DeadJobReport, Fenced, FenceStatus, Inspected, Refused, Sink } from '../sink.ts';
import { parseInfo } from './info.ts';

const LEDGER = lua('ledger');
const CLAIM = script(LEDGER, lua('claim'));
const INSPECT = script(LEDGER, lua('inspect-bullmq'));
const BURY = script(LEDGER, lua('bury-bullmq'));

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
      const [status, enqueued, incarnation, reconciled] = await call<[string, number, string, string]>(
        CLAIM,
        [ledgerKey(ledger)],
        [token],
      );
      if (status !== 'ok') return { status: 'corrupt' };
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

    async inspect(claim, expected, from, budget) {
      const chunk = Math.floor(from / CHUNK);
      const reply = await run<InspectReply>(INSPECT, claim, expected, idPrefix(claim), `${prefix}:`, chunk, budget);
      return reply[0] === 'ok' ? inspected(reply, chunk * CHUNK) : fenced(reply[0], reply[1]);
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

/** Offsets of one chunk are kept as one Redis set of numbers below 512, which Redis stores in two bytes each. */
const CHUNK = 512;

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
    const options = JSON.stringify(bullOptions(job));
    body.push(offset, index, job.name, job.data, options, job.timestamp, job.delayMs, job.priority);
  }
  const head = [...queues.keys()].flatMap((queue) => [queue, queuePrefix(queue)]);
  return [queues.size, ...head, ...body];
}

function fenced(status: string, enqueued: number): Fenced {
  return { status: status as FenceStatus, enqueued };
}

function refusal(reply: readonly unknown[]): Refused {
  return { status: 'refused', queue: String(reply[2]), why: String(reply[3]) };
}

type InspectReply = [string, number, string, number, number, number, number, number[], string[]];

function inspected(reply: InspectReply, from: number): Inspected {
  const [, enqueued, , usedBytes, end, completed, absent, unsettled, dead] = reply;
  const deadJobs = dead.flatMap((text, i) => (i % 2 === 0 ? [{ offset: Number(text), queue: dead[i + 1] ?? '' }] : []));
  return { status: 'ok', enqueued, usedBytes, from, end, completed, absent, unsettled, dead: deadJobs };
}

/** BullMQ's fields of a job; `atm`: attempts made. */
const REPORTED = ['name', 'data', 'opts', 'failedReason', 'stacktrace', 'atm', 'timestamp', 'finishedOn'] as const;

function deadJobReport(fields: readonly (string | null)[]): DeadJobReport | undefined {
  const [name, data, options, reason, stacks, attempts, timestamp, finishedOn] = fields;
  if (typeof name !== 'string') return undefined;
  return {
    name,
    data: data ?? '',
    about: aboutIn(parsed(options)) ?? {},
    reason: reason ?? '',
    stack: lastStack(parsed(stacks)),
    attempts: Number(attempts ?? 0),
    createdAt: Number(timestamp ?? 0),
    failedAt: Number(finishedOn ?? 0),
  };
}

/** BullMQ keeps the stacks of all attempts as an array, the newest last. */
function lastStack(stacks: unknown): string {
  return Array.isArray(stacks) ? String(stacks.at(-1) ?? '') : '';
}

function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return undefined;
  }
}
