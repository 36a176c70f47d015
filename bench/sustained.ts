/**
 * `--sustained M`: minutes at a rate that the whole line keeps up with, from a producer to the collector: what the lag and the
 * memory of every process do over time, as a table and a picture.
 */
import { writeFileSync } from 'node:fs';
import { lines } from './chart.ts';
import { pause, ROOT } from './contest.ts';
import { openLine, type Sample } from './line.ts';
import type { Part, Rows } from './part.ts';
import { quantile, rounded } from './statistics.ts';
import { makeTopic } from './topic.ts';

const PICTURE = 'docs/performance-sustained.svg';
const SAMPLES = 200;
const LEAST_PAUSE_MS = 500;
const WARM_SECONDS = 10;

export function sustained(minutes: number, perSecond: number): Part {
  return async ({ brokers }) => {
    const topic = `bench.sustained.${process.pid}`;
    await makeTopic({ topic, brokers });
    const line = await openLine(brokers, topic);
    try {
      const samples: Sample[] = [];
      let isProducing = true;
      const produced = line.produce(perSecond, minutes * 60 + WARM_SECONDS).then(() => {
        isProducing = false;
      });
      await pause(WARM_SECONDS * 1_000);
      while (isProducing) {
        samples.push(line.sample());
        await pause(Math.max(LEAST_PAUSE_MS, (minutes * 60_000) / SAMPLES));
      }
      await produced;
      if (line.refusal !== '') throw new Error(line.refusal);
      writeFileSync(`${ROOT}${PICTURE}`, picture(samples));
      return { rows: { [`${minutes} min at ${perSecond}/s`]: figuresOf(samples) } };
    } finally {
      await line.stop();
    }
  };
}

/** By process, the median of the first and of the last quarter. */
function figuresOf(samples: readonly Sample[]): Rows[string] {
  const quarter = Math.ceil(samples.length / 4);
  const quarters = { first: samples.slice(0, quarter), last: samples.slice(-quarter) };
  const median = (of: readonly Sample[], value: (sample: Sample) => number) =>
    rounded(
      quantile(
        of.map(value).sort((a, b) => a - b),
        0.5,
      ),
    );
  const [first, last] = [samples[0] as Sample, samples.at(-1) as Sample];
  const figures: Record<string, number> = {
    perSecond: rounded((last.accepted - first.accepted) / (last.seconds - first.seconds)),
    lagFirstQuarter: median(quarters.first, ({ lag }) => lag),
    lagLastQuarter: median(quarters.last, ({ lag }) => lag),
  };
  for (const name of Object.keys(first.residentMib)) {
    figures[`${name} MiB, first quarter`] = median(quarters.first, ({ residentMib }) => residentMib[name] ?? 0);
    figures[`${name} MiB, last quarter`] = median(quarters.last, ({ residentMib }) => residentMib[name] ?? 0);
  }
  return figures;
}

function picture(samples: readonly Sample[]): string {
  const names = Object.keys(samples[0]?.residentMib ?? {});
  const memory = names.map((name) => ({
    label: name,
    points: samples.map(({ seconds, residentMib }) => [seconds, residentMib[name] ?? 0] as const),
  }));
  return lines(memory, 'seconds', 'MiB resident');
}
