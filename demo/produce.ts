/** Puts page views into Kafka, paced or as fast as it goes, and counts what Kafka has acked. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../src/clock.ts';
import type { Producer } from '../src/producer/producer.ts';
import { parseLogLine } from './access-log.ts';
import type { DemoOptions } from './options.ts';
import { type PageView, pageViews } from './page-views.ts';

const AT_ONCE = 1_000;
const PACE_MS = 100;
/** The others are counted only. */
const BAD_LINES_SHOWN = 10;
/** Put before the paths of a log, which name no host. */
const SITE = 'https://log.example';
const TYPE = 'acme.web.v1.PageView';

export interface Production {
  acked: number;
  /** Lines of the input that are no access log. */
  badLines: number;
}

export async function produce(
  producer: Producer,
  options: DemoOptions,
  production: Production,
  signal: AbortSignal,
): Promise<void> {
  const perBatch =
    options.rate === 0 ? AT_ONCE : Math.max(1, Math.min(AT_ONCE, Math.ceil((options.rate * PACE_MS) / 1000)));
  const startedAt = Date.now();
  let batch: PageView[] = [];
  for await (const view of views(options, production)) {
    if (signal.aborted) return;
    batch.push(view);
    if (batch.length < perBatch) continue;
    await send(producer, batch, production);
    batch = [];
    if (options.rate > 0)
      await systemClock.sleep(Math.max(0, startedAt + (production.acked / options.rate) * 1000 - Date.now()), signal);
  }
  await send(producer, batch, production);
}

async function send(producer: Producer, views: readonly PageView[], production: Production): Promise<void> {
  await producer.sendMany(views.map(({ key, id, message }) => ({ type: TYPE, message, key, id })));
  production.acked += views.length;
}

async function* views({ messages, seed, input }: DemoOptions, production: Production): AsyncGenerator<PageView> {
  let left = messages ?? Number.POSITIVE_INFINITY;
  if (left === 0) return;
  for await (const view of input === undefined ? pageViews(seed) : logViews(input, production)) {
    yield view;
    left -= 1;
    if (left === 0) return;
  }
}

async function* logViews(file: string, production: Production): AsyncGenerator<PageView> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text === '') continue;
    const view = parseLogLine(text, line, SITE);
    if (view !== undefined) yield view;
    else {
      production.badLines += 1;
      if (production.badLines <= BAD_LINES_SHOWN)
        process.stderr.write(`line ${line} is no line of an access log in the combined format; passed over\n`);
    }
  }
}
