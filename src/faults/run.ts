/**
 * One run of the fault kit: opens the world, lets faults happen to it by the schedule, waits after each until it has
 * healed, lets everything finish, and has the history checked. Whatever happens, what was started is ended.
 */
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { SluiceError } from '../errors.ts';
import { type Checked, check } from './check/check.ts';
import { now, readHistory } from './history.ts';
import { BRIDGES } from './kinds/bridge.ts';
import type { Kind, Need } from './kinds/kind.ts';
import { KINDS } from './kinds/kinds.ts';
import { HOSTS } from './kinds/worker.ts';
import { createRandom } from './random.ts';
import { planRounds, type Round } from './schedule.ts';
import { openWorld, type World, type WorldOptions } from './world.ts';

/** Of the bridge: what was finished longer ago is recorded. */
const COMMIT_EVERY_MS = 1_000;
const LOOK_MS = 50;
const PATIENCE_MS = 90_000;
/** Five processes load their code and join the group. */
const START_WITHIN_MS = 90_000;
const SNAPSHOT_EVERY_MS = 8_000;
const COMMITTED_WITHIN_MS = 30_000;
/** In an undisturbed flow every record is done by then. */
const USUAL_LATENCY_MS = 2_000;
/** It has to flow for so long to count as healed: a fault may show late, when a session or a lock has run out. */
const STEADY_MS = 3_500;

export interface RunOptions extends WorldOptions {
  readonly minutes: number;
  /** Names of the kinds to draw from; empty: all that can be done here. */
  readonly only: readonly string[];
  /** Whether Redis may be emptied. */
  readonly mayFlush: boolean;
  /** Fires to end early, in order. */
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
  /** A fault that has not healed by then never will. Default: 90 s. */
  readonly patienceMs?: number;
  /** Given what ends everything at once, for a process that is ending. */
  readonly onOpen?: (killNow: () => void) => void;
}

/** The history is `history.ndjson` in the run's folder. */
export async function runFaults(options: RunOptions): Promise<Checked> {
  const rounds = planRounds(options.seed, options.minutes, kindsFor(options));
  const world = await openWorld(options);
  options.onOpen?.(world.killNow);
  const updating = setInterval(() => world.progress.update(), LOOK_MS);
  try {
    const { seed, minutes } = options;
    const { closeAtBytes } = world;
    world.history.append({ is: 'run', seed, minutes, closeAtBytes, commitEveryMs: COMMIT_EVERY_MS });
    await warmUp(world, options);
    await runRounds(rounds, world, options);
    await finish(world, options);
  } finally {
    clearInterval(updating);
    await world.close();
  }
  return check(readHistory(join(options.dir, 'history.ndjson')));
}

/** Throws USAGE for a name that is none, or a kind that cannot be done here. */
export function kindsFor({ only, ...options }: Pick<RunOptions, 'only' | 'mayFlush' | 'broker' | 'redisUrl'>): Kind[] {
  const has: Record<Need, boolean> = {
    flushall: options.mayFlush,
    'redis-server': options.redisUrl === undefined,
    'redis-network': options.redisUrl === undefined || options.redisUrl.startsWith('redis:'),
    broker: options.broker !== undefined,
    'kafka-network': options.broker !== undefined,
  };
  const possible = KINDS.filter(({ needs = [] }) => needs.every((need) => has[need]));
  for (const name of only) {
    if (possible.some((kind) => kind.name === name)) continue;
    const isKnown = KINDS.some((kind) => kind.name === name);
    const why = isKnown ? 'cannot be done here' : 'is no kind of fault';
    throw new SluiceError('USAGE', `"${name}" ${why}; allowed: ${possible.map((kind) => kind.name).join(', ')}`);
  }
  return only.length === 0 ? possible : possible.filter(({ name }) => only.includes(name));
}

async function warmUp(world: World, { rate, signal, patienceMs = PATIENCE_MS }: RunOptions): Promise<void> {
  const { fleet, bridge, host, stock, programs, progress } = world;
  await fleet.scale('bridge', BRIDGES, bridge);
  await fleet.scale('host', HOSTS, host);
  await fleet.scale('stock', 1, stock);
  await fleet.scale('producer', 1, () => ({ args: [programs.producer], env: {} }));
  // What stays undone from here on is for the checker: a fault is told of it as one that does not heal.
  const hasBegun = () => progress.acked - progress.pending > rate;
  if (!(await until(hasBegun, START_WITHIN_MS, signal)) && !signal.aborted) {
    throw new Error('the flow does not begin; see the logs beside the history');
  }
  await until(() => progress.pendingOf(now() - USUAL_LATENCY_MS) === 0, patienceMs, signal);
}

async function runRounds(rounds: readonly Round[], world: World, options: RunOptions): Promise<void> {
  const { minutes, seed, signal } = options;
  const random = createRandom(seed + 1);
  const endAt = now() + minutes * 60_000;
  let snapshotAt = 0;
  let count = 0;
  for (const kinds of rounds) {
    if (world.redis !== undefined && now() - snapshotAt > SNAPSHOT_EVERY_MS) {
      snapshotAt = now();
      await world.redis.snapshot();
    }
    if (signal.aborted || now() > endAt) return;
    const names = kinds.map(({ name }) => name);
    await Promise.all(kinds.map((kind) => fault(kind, ++count, names, world, random, options)));
  }
}

async function fault(
  { name: kind, inject }: Kind,
  number: number,
  names: readonly string[],
  world: World,
  random: () => number,
  { tell, signal, patienceMs = PATIENCE_MS }: RunOptions,
): Promise<void> {
  const { history } = world;
  const beside = names.filter((name) => name !== kind);
  const step = { is: 'fault', fault: number, kind, ...(beside.length > 0 && { beside }) } as const;
  history.append({ ...step, step: 'begin' });
  await inject(world, random);
  const { at } = history.append({ ...step, step: 'end' });
  const healedAt = await flowing(world, at, patienceMs, signal);
  if (signal.aborted) return;
  const seconds = Math.round(((healedAt ?? now()) - at) / 100) / 10;
  history.append({ ...step, step: healedAt === undefined ? 'stuck' : 'recovered', seconds });
  const what = healedAt === undefined ? 'did not heal' : `healed in ${seconds} s`;
  tell(`${String(number).padStart(3)} ${kind.padEnd(24)} ${what}`);
}

/** Since when all from before is done and nothing new waits for long; undefined when that does not come about. */
async function flowing({ progress }: World, since: number, ms: number, signal: AbortSignal) {
  let flowsSince: number | undefined;
  const isFlowing = () => {
    const isSo = progress.pendingOf(Math.max(since, now() - USUAL_LATENCY_MS)) === 0;
    flowsSince = isSo ? (flowsSince ?? now()) : undefined;
    return flowsSince !== undefined && now() - flowsSince > STEADY_MS;
  };
  return (await until(isFlowing, ms, signal)) ? flowsSince : undefined;
}

/** Nothing is produced any more: all of it gets finished, and the group says so. */
async function finish(world: World, { signal, patienceMs = PATIENCE_MS }: RunOptions): Promise<void> {
  const { produce, progress, history } = world;
  produce({ do: 'rate', rate: 0 });
  await until(() => progress.pending === 0 && now() - progress.lastAckAt > 1_000, patienceMs);
  if (signal.aborted) return;
  const deadline = now() + Math.min(COMMITTED_WITHIN_MS, patienceMs);
  while (now() < deadline && (await lag(world)) > 0) await systemClock.sleep(LOOK_MS * 4);
  const left = await lag(world);
  history.append({ is: 'expected', what: `the group has committed everything (lag ${left})`, isMet: left === 0 });
}

async function lag({ kafkaWatch: { admin }, groupId, topic }: World): Promise<number> {
  try {
    const ends = await admin.fetchTopicOffsets(topic);
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const offsets = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return ends.reduce((sum, { partition, high }) => sum + Number(high) - Math.max(0, offsets.get(partition) ?? 0), 0);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

async function until(isSo: () => boolean, ms: number, signal?: AbortSignal): Promise<boolean> {
  const deadline = now() + ms;
  while (!isSo()) {
    if (now() > deadline || signal?.aborted) return false;
    await systemClock.sleep(LOOK_MS);
  }
  return true;
}
