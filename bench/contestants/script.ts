/**
 * The enqueue script driven from memory, two batches under way: its calls are packed before the first is sent, so that
 * Redis alone is the limit. `ledger` is the script as it is: the ceiling of a bridge; `bare` writes the same jobs without a
 * ledger; `plain` writes such as a user's own queue holds, which go when they are done.
 */
import { readFileSync } from 'node:fs';
import { DEFAULT_BACKOFF } from '../../src/job/place.ts';
import { silentLog } from '../../src/log.ts';
import { ownAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink, enqueueScript } from '../../src/queue/bullmq/sink.ts';
import type { Claim, PlacedJob } from '../../src/queue/sink.ts';
import { connect, type Redis } from '../../src/redis/connection.ts';
import { runScript, type Script, script } from '../../src/redis/script.ts';
import { pageViewJson, VIEW } from '../payload.ts';

const [url = '', jobs = '0', how = 'ledger', batch = '500', begin = '0'] = process.argv.slice(2);
const [total, atOnce, first] = [Number(jobs), Number(batch), Number(begin)];
const UNDER_WAY = 2;
/** Jobs that are packed before the first of them is sent: all that are measured. */
const IN_MEMORY = 500_000;

const ADDER = ownAdder();
const bare = script(ADDER, readFileSync(new URL('./bare.lua', import.meta.url), 'utf8'));
const what: Script = how === 'ledger' ? enqueueScript(ADDER) : bare;

const redis = connect('bench', { url }, 'ledger', silentLog);
await new Promise((resolve) => redis.once('ready', resolve));
const sinkOf = (client: Redis) => createBullSink({ name: 'bench', redis: client, prefix: 'bull', adder: ADDER });
const ledger = { cluster: 'bench', group: 'bench', topic: 'bench', partition: 0 };
const claim = (await sinkOf(redis).claim(ledger, 0)) as Claim;

await sinkOf(redis).reconcile(claim, []);

let calls: string[][] = [];
for (let from = first; from < first + total; from += IN_MEMORY) {
  calls = await packed(from, Math.min(from + IN_MEMORY, first + total));
  await Promise.all(Array.from({ length: UNDER_WAY }, drive));
}
redis.disconnect();

async function drive(): Promise<void> {
  for (let call = calls.shift(); call !== undefined; call = calls.shift()) {
    const [, , key, ...args] = call;
    const [status] = (await runScript(redis, what, [key as string], args)) as [string];
    if (status !== 'ok') throw new Error(`the script answered ${status}`);
  }
}

/** As the sink itself packs them: it is given a client that only takes notes. */
async function packed(start: number, end: number): Promise<string[][]> {
  const noted: string[][] = [];
  const sendCommand = async ({ args }: { readonly args: readonly string[] }) => {
    noted.push(how === 'plain' ? args.map(asPlain) : [...args]);
    return ['ok', 0, ''];
  };
  const notes = sinkOf({ sendCommand } as unknown as Redis);
  for (let from = start; from < end; from += atOnce) {
    const placed = Array.from({ length: atOnce }, (_, i) => place(from + i));
    // Two are under way: the second may come first to nobody.
    await notes.enqueue(claim, from === first ? -1 : from - 1, { jobs: placed, last: from + atOnce - 1 });
  }
  return noted;
}

function asPlain(argument: string): string {
  return argument.replace('"removeOnComplete":false', '"removeOnComplete":true');
}

function place(offset: number): PlacedJob {
  const about = { key: String(offset) };
  const common = { queue: 'filled', attempts: 10, backoff: DEFAULT_BACKOFF, delayMs: 0, priority: 0 };
  return { offset, job: { ...common, name: VIEW, data: pageViewJson(), timestamp: Date.now(), about } };
}
