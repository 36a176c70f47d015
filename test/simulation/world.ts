/**
 * A world: a topic that grows, a Kafka, one or two Redis and the bridge between them, for a minute of faults. Then nothing
 * goes wrong any more, and everything has to end. Its seed decides all of it, so a violation can be had again.
 */
import { systemClock } from '../../src/clock.ts';
import { SimulatedBridge } from './bridge.ts';
import { onKafka } from './cluster.ts';
import { runMishaps } from './mishaps.ts';
import { type Settings, settingsOf } from './settings.ts';
import { inVirtualTime } from './virtual-time.ts';

const FAULTS_MS = 60_000;
/** Without any progress. Longer than what the bridge itself takes for stuck. */
const PATIENCE_MS = 200_000;
const LOOK_EVERY_MS = 1_500;
const GROW_EVERY_MS = 400;
const FIRST_RECORDS = 300;
const GROW_RECORDS = 60;
const MOST_RECORDS = 3_000;

export interface Lived {
  /** What led to the first violation, as text for a person; undefined: there was none. */
  readonly trace: string | undefined;
  readonly history: string;
  readonly batches: number;
  /** To Redis. */
  readonly calls: number;
}

export function live(seed: number): Promise<Lived> {
  return inVirtualTime(() => {
    const settings = settingsOf(seed);
    return onKafka(settings.kafka, () => liveWith(settings));
  });
}

async function liveWith(settings: Settings): Promise<Lived> {
  const { logs, chance, contents, faults, history, kafka, redis } = settings;
  const bridge = new SimulatedBridge(settings);
  for (const log of logs) log.grow(FIRST_RECORDS, chance, contents);
  await bridge.start();
  void grow(settings);
  void runMishaps(settings);
  await until(() => false, FAULTS_MS, settings, bridge);
  history.tell('nothing goes wrong any more');
  faults.end();
  // Only where it must be: a new assignment would put right what the last one has left behind.
  if (kafka.isShared) kafka.rebalance();
  await untilEnded(settings, bridge);
  const { trace, text } = history;
  return { trace, history: text, batches: bridge.batches, calls: redis.reduce((sum, each) => sum + each.calls, 0) };
}

async function grow({ logs, chance, contents, faults }: Settings): Promise<void> {
  while (!faults.areOver) {
    const growing = logs.filter(({ entries }) => entries.length < MOST_RECORDS);
    for (const log of growing) log.grow(chance.below(GROW_RECORDS), chance, contents);
    await systemClock.sleep(GROW_EVERY_MS);
  }
}

/** As long as the group commits something, there is hope. */
async function untilEnded(settings: Settings, bridge: SimulatedBridge): Promise<void> {
  const { judge, kafka, history } = settings;
  const leftOver = () => judge.leftOver((partition) => kafka.committed(partition));
  for (let before = -1; before < kafka.totalCommitted; ) {
    before = kafka.totalCommitted;
    await until(() => before < kafka.totalCommitted || leftOver() === undefined, PATIENCE_MS, settings, bridge);
    if (leftOver() === undefined || history.isViolated) return;
  }
  history.violated(`not everything ends: ${leftOver()}; ${bridge.standing}`);
}

async function until(
  isSo: () => boolean,
  ms: number,
  { history, judge }: Settings,
  { holdings }: SimulatedBridge,
): Promise<void> {
  const end = systemClock.now() + ms;
  while (systemClock.now() < end && !isSo() && !history.isViolated) {
    await systemClock.sleep(LOOK_EVERY_MS);
    for (const held of holdings.all) if (held.isReady) judge.believes(held);
  }
}
