/**
 * BullMQ's Redis backend, with the clock of Redis where a job fails or is delayed: hosts' clocks do not matter, or a retry on
 * a host that is an hour ahead would be due in an hour.
 */
import { createRedisBackend, type QueueBaseOptions, type RedisQueueBackend } from 'bullmq';
import type { Redis } from '../../redis/connection.ts';
import { lua, runScript, type Script, script } from '../../redis/script.ts';
import { asFunction, keysOf, type StockScript } from './stock-scripts.ts';

type Argument = string | number | Buffer;

/** The second argument of both is the time. */
function timed(name: StockScript): { name: StockScript; script: Script } {
  const call = `ARGV[2] = now_ms()\nreturn ${name}(KEYS, ARGV)`;
  return { name, script: script(lua('ledger'), lua('entries'), asFunction(name), call) };
}

const TIMED: Partial<Record<string, { name: StockScript; script: Script }>> = {
  moveToDelayed: timed('moveToDelayed'),
  moveToFinished: timed('moveToFinished'),
};

/** `connection` runs the scripts; it is the one that the worker's options name. */
export function timedBackend(connection: Redis) {
  return (
    queue: string,
    opts: QueueBaseOptions,
    options?: Parameters<typeof createRedisBackend>[2],
  ): RedisQueueBackend => {
    const backend = createRedisBackend(queue, opts, options);
    const stock = backend.execCommand.bind(backend);
    backend.execCommand = async (client, command, args) => {
      const own = TIMED[command];
      if (own === undefined) return stock(client, command, args);
      const keys = keysOf(own.name);
      const all = args.map((each: Argument | undefined) => each ?? '');
      return runScript(connection, own.script, all.slice(0, keys) as string[], all.slice(keys));
    };
    return backend;
  };
}
