/**
 * BullMQ's Redis backend for Sluice's own host: jobs are taken and finished by BullMQ's own scripts, inside ours, which
 * refuse jobs of a ledger that is not reconciled and settle those that complete (guard-bullmq.lua). A refused host waits
 * and asks again; nothing is counted as an attempt.
 */
import { createRedisBackend, type QueueBaseOptions, type RedisQueueBackend } from 'bullmq';
import type { Redis } from '../../redis/connection.ts';
import { sourcesKey } from '../../redis/keys.ts';
import { lua, runScript, type Script, script } from '../../redis/script.ts';
import { asFunction, keysOf, type StockScript } from './stock-scripts.ts';

/** How long a host waits for the bridge to reconcile. */
const REFUSED_WAIT_MS = 250;
/** Where an answer says that a job was refused; BullMQ reads the first four places. */
const REFUSED_AT = 4;

type Argument = string | number | Buffer;

/** Whatever fetches a job is guarded; a refused one makes room for the next, so each script can take. */
const GUARD = [lua('ledger'), lua('entries'), asFunction('moveToActive'), lua('guard-bullmq')];
const GUARDED: Partial<Record<string, { name: StockScript; script: Script }>> = {
  moveToActive: { name: 'moveToActive', script: script(...GUARD, lua('take-bullmq')) },
  moveToDelayed: { name: 'moveToDelayed', script: script(...GUARD, asFunction('moveToDelayed'), lua('delay-bullmq')) },
  moveToFinished: {
    name: 'moveToFinished',
    script: script(...GUARD, asFunction('moveToFinished'), lua('finish-bullmq')),
  },
};

/** `connection` runs the scripts; it is the one that the worker's options name. `onRefused`: a job was not taken. */
export function guardedBackend(connection: Redis, onRefused: () => void) {
  return (
    queue: string,
    opts: QueueBaseOptions,
    options?: Parameters<typeof createRedisBackend>[2],
  ): RedisQueueBackend => {
    const backend = createRedisBackend(queue, opts, options);
    const stock = backend.execCommand.bind(backend);
    backend.execCommand = async (client, command, args) => {
      const guarded = GUARDED[command];
      if (guarded === undefined) return stock(client, command, args);
      const keys = keysOf(guarded.name);
      const all = [...args.map((each: Argument | undefined) => each ?? ''), sourcesKey(), REFUSED_WAIT_MS, queue];
      const reply = await runScript(connection, guarded.script, all.slice(0, keys) as string[], all.slice(keys));
      if (Array.isArray(reply) && reply[REFUSED_AT] === 'refused') onRefused();
      return reply;
    };
    return backend;
  };
}
