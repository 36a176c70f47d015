/**
 * From Kafka to the accept of an HTTP collector, everything on this machine. First a backlog, which says how fast the line can
 * be; then less than that, produced meanwhile: the highest of some rates that it keeps up with.
 */
import { pause } from './contest.ts';
import { type Line, openLine, type Sample } from './line.ts';
import type { Part } from './part.ts';
import { envelope } from './payload.ts';
import { rounded } from './statistics.ts';
import { fillTopic } from './topic.ts';

const BACKLOG = 100_000;
const QUICK_BACKLOG = 30_000;
const WARM_SHARE = 0.3;
/** Of the backlog's rate, the highest first: the producer takes its part of the cores too. */
const SHARES = [0.9, 0.86, 0.83, 0.8, 0.75, 0.7, 0.6, 0.5];
const SECONDS = 20;
const QUICK_SECONDS = 6;
const SAMPLE_MS = 500;
/** Growth of the lag, as a share of what was produced, that is no growth yet. */
const STEADY = 0.01;

export const delivery: Part = async ({ brokers, isQuick }) => {
  const topic = `bench.delivery.${process.pid}`;
  const records = isQuick ? QUICK_BACKLOG : BACKLOG;
  const value = envelope(undefined, Date.now());
  await fillTopic({ topic, brokers, records, value: () => value });
  const line = await openLine(brokers, topic);
  try {
    line.given(records);
    const fastest = await backlogRate(line, records);
    const { samples, ...steady } = await highestSteady(line, fastest, isQuick ? QUICK_SECONDS : SECONDS);
    if (line.refusal !== '') throw new Error(line.refusal);
    const rows = {
      backlog: { perSecond: rounded(fastest) },
      sustained: { ...steady, highestLag: Math.max(...samples.map(({ lag }) => lag)), ...cpuOf(withinSteady(samples)) },
    };
    const endToEndEventsPerSecond = steady.isSteady === 1 ? steady.perSecond : 0;
    return { rows, figures: { endToEndEventsPerSecond, endToEndBacklogPerSecond: rounded(fastest) } };
  } finally {
    await line.stop();
  }
};

async function backlogRate(line: Line, records: number): Promise<number> {
  await line.accepted(records * WARM_SHARE);
  const start = line.sample();
  await line.accepted(records);
  return rateOf(start, line.sample());
}

/** The last one tried, where none was. */
async function highestSteady(line: Line, fastest: number, seconds: number) {
  for (const share of SHARES.slice(0, -1)) {
    const kept = await keepUp(line, fastest * share, seconds);
    if (kept.isSteady === 1) return kept;
    await line.caughtUp();
  }
  return keepUp(line, fastest * (SHARES.at(-1) as number), seconds);
}

async function keepUp(line: Line, rate: number, seconds: number) {
  const samples: Sample[] = [];
  const produced = line.produce(Math.floor(rate), seconds);
  let isProducing = true;
  void produced.then(() => {
    isProducing = false;
  });
  while (isProducing) {
    await pause(SAMPLE_MS);
    samples.push(line.sample());
  }
  const steady = withinSteady(samples);
  const [first, last] = [steady[0] as Sample, steady.at(-1) as Sample];
  const grown = (last.lag - first.lag) / Math.max(1, last.accepted - first.accepted);
  return {
    samples,
    perSecond: rounded(rateOf(first, last)),
    lagGrowth: rounded(grown),
    isSteady: grown < STEADY ? 1 : 0,
  };
}

/** Neither the producer's start nor its end. */
function withinSteady(samples: readonly Sample[]): readonly Sample[] {
  return samples.slice(Math.floor(samples.length / 4), -2);
}

/** Microseconds an event, by process. */
function cpuOf(samples: readonly Sample[]): Record<string, number> {
  const [first, last] = [samples[0] as Sample, samples.at(-1) as Sample];
  const events = Math.max(1, last.accepted - first.accepted);
  const names = Object.keys(last.cpuUsec);
  const spent = (name: string) => ((last.cpuUsec[name] ?? 0) - (first.cpuUsec[name] ?? 0)) / events;
  const each = names.map((name) => [`${name}, us an event`, rounded(spent(name))]);
  return {
    ...Object.fromEntries(each),
    'all, us an event': rounded(names.reduce((sum, name) => sum + spent(name), 0)),
  };
}

function rateOf(first: Sample, last: Sample): number {
  return (last.accepted - first.accepted) / (last.seconds - first.seconds);
}
