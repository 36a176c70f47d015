/**
 * The ledger of a shard's partitions, whatever queues its jobs are on: claims, counts and lists, and the way in which every
 * fenced script is called. A client that loses its connection resends nothing; what became of a call is found out by the
 * next one.
 */
import { randomUUID } from 'node:crypto';
import { groupMark, jobIdPrefix } from '../job/identity.ts';
import { askRedis, type Redis } from '../redis/connection.ts';
import { ledgerKey } from '../redis/keys.ts';
import type { PackableArgument } from '../redis/packed.ts';
import { ALLOW_OOM, lua, runPackedScript, runScript, type Script, script } from '../redis/script.ts';
import { CHUNK, type CountReply, counted, fenced, type ListReply, listed, rangesFrom } from './ledger-replies.ts';
import type { Claim, Fenced, Ledger, Range } from './sink.ts';

/** What stands in front of every script of the ledger. */
export const LEDGER = lua('ledger');
const CLAIM = script(ALLOW_OOM, LEDGER, lua('claim'));
const COUNT = script(LEDGER, lua('count-unsettled'));
const LIST = script(LEDGER, lua('list-unsettled'));

/** Blocks that hosts have noted, told in one call. */
const CHANGED_A_CALL = 64;
/** Finished ranges that are told in one call. */
const RANGES_A_CALL = 1_000;

export interface LedgerClient extends Ledger {
  /** Runs a fenced script: its arguments begin with owner, incarnation and expected offset. */
  run<T extends unknown[]>(what: Script, claim: Claim, expected: number, ...rest: (string | number)[]): Promise<T>;
  /** As `run`, with arguments that may be packed. */
  runPacked<T extends unknown[]>(
    what: Script,
    claim: Claim,
    expected: number,
    ...rest: readonly PackableArgument[]
  ): Promise<T>;
  /** Calls a reconciling script until it has gone through all chunks; see reconcile.lua. */
  reconcile(
    what: Script,
    claim: Claim,
    about: readonly string[],
    finished: readonly Range[],
  ): Promise<{ readonly status: 'ok'; readonly removed: number } | Fenced>;
  /** A question to Redis that no ledger fences. */
  ask<T>(question: () => Promise<T>): Promise<T>;
}

/** `name`: of the Redis, in errors. */
export function createLedger(name: string, redis: Redis): LedgerClient {
  const ask = <T>(question: () => Promise<T>) => askRedis(name, question);

  function run<T extends unknown[]>(what: Script, claim: Claim, expected: number, ...rest: (string | number)[]) {
    const args = [claim.token, claim.incarnation, expected, ...rest];
    return ask(async () => (await runScript(redis, what, [ledgerKey(claim.ledger)], args)) as T);
  }

  function runPacked<T extends unknown[]>(what: Script, claim: Claim, expected: number, ...rest: PackableArgument[]) {
    const args = [claim.token, claim.incarnation, expected, ...rest];
    return ask(async () => (await runPackedScript(redis, what, [ledgerKey(claim.ledger)], args)) as T);
  }

  return {
    ask,
    run,
    runPacked,

    async claim(ledger, generation) {
      const token = randomUUID();
      const args = [token, idPrefix({ ledger, generation }), groupMark(ledger.group)];
      const reply = await ask(() => runScript(redis, CLAIM, [ledgerKey(ledger)], args));
      const [status, enqueued, incarnation, reconciled, known] = reply as [string, number, string, string, number];
      if (status !== 'ok') return { status: status === 'newer' ? status : 'corrupt', generation: known };
      return { ledger, generation, token, incarnation, enqueued, isReconciled: reconciled === incarnation };
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

    async reconcile(what, claim, about, finished) {
      let removed = 0;
      for (let chunk = 0, rest = finished; chunk >= 0; rest = rangesFrom(rest, chunk * CHUNK)) {
        const told = rest.slice(0, RANGES_A_CALL);
        const limit = told.length < rest.length ? (told.at(-1) as Range).end : Number.MAX_SAFE_INTEGER;
        const pairs = told.flatMap(({ start, end }) => [start, end]);
        const rounds = [...about, chunk, limit, ...pairs];
        const reply = await run<[string, number, string, number, number]>(what, claim, claim.enqueued, ...rounds);
        if (reply[0] !== 'ok') return fenced(reply[0], reply[1]);
        removed += reply[3];
        chunk = reply[4];
      }
      return { status: 'ok', removed };
    },
  };
}

/** Everything of the ids of a claim's jobs but the offset. */
export function idPrefix({ ledger, generation }: Pick<Claim, 'ledger' | 'generation'>): string {
  return jobIdPrefix(ledger.topic, generation, ledger.partition);
}
