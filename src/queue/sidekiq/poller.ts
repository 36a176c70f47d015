/**
 * Brings due jobs from `retry` and `schedule` to their queues, beside any number of others who do it too, Ruby's included.
 * Read and rewritten here, moved by one script: Ruby's own can lose a job in between.
 */
import { randomBytes } from 'node:crypto';
import { textOf } from '../../job/json-members.ts';
import { DEFAULT_SIDEKIQ_QUEUE, type Dialect, timeText } from '../../job/sidekiq-job.ts';
import type { Redis } from '../../redis/connection.ts';
import { sourcesKey } from '../../redis/keys.ts';
import { runScript } from '../../redis/script.ts';
import { readJob } from './job.ts';
import { sidekiqScript } from './source.ts';

const SETS = ['retry', 'schedule'] as const;
const MOST_AT_ONCE = 100;
const PROMOTE = sidekiqScript('promote');

/** Moves everything that is due, by Redis's clock; answers how many jobs. */
export async function promoteDue(redis: Redis, dialect: Dialect, signal: AbortSignal): Promise<number> {
  let moved = 0;
  for (const set of SETS) moved += await promoteFrom(set, redis, dialect, signal);
  return moved;
}

async function promoteFrom(set: string, redis: Redis, dialect: Dialect, signal: AbortSignal): Promise<number> {
  let moved = 0;
  while (!signal.aborted) {
    const [seconds = 0, microseconds = 0] = await redis.time();
    const nowMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
    const due = await redis.zrangebyscoreBuffer(set, '-inf', (nowMs / 1_000).toFixed(6), 'LIMIT', 0, MOST_AT_ONCE);
    if (due.length === 0) break;
    const args = due.flatMap((raw) => [raw, ...promoted(raw, nowMs, dialect)]);
    moved += (await runScript(redis, PROMOTE, [set, 'queues', 'dead'], [sourcesKey(), ...args])) as number;
    if (due.length < MOST_AT_ONCE) break;
  }
  return moved;
}

/** The new text and the queue, as Sidekiq's client would push it; an empty queue for what it could not push. */
function promoted(raw: Buffer, nowMs: number, dialect: Dialect): [text: string, queue: string] {
  const job = readJob(raw);
  if (job === undefined || !job.members.has('class') || !job.members.has('args')) return ['', ''];
  const members = new Map(job.members);
  members.delete('at');
  const queue = queueOf(members);
  const defaults = { queue: JSON.stringify(queue), retry: 'true', created_at: timeText(nowMs, dialect) };
  for (const [name, text] of Object.entries({ ...defaults, jid: newJid() })) {
    if ((members.get(name) ?? 'null') === 'null') members.set(name, text);
  }
  members.set('enqueued_at', timeText(nowMs, dialect));
  return [textOf(members), queue];
}

function queueOf(members: ReadonlyMap<string, string>): string {
  const queue: unknown = JSON.parse(members.get('queue') ?? 'null');
  return typeof queue === 'string' && queue !== '' ? queue : DEFAULT_SIDEKIQ_QUEUE;
}

function newJid(): string {
  return JSON.stringify(randomBytes(12).toString('hex'));
}
