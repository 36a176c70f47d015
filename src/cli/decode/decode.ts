/**
 * `sluice decode`: the exact jobs that messages or records become by their topic's configuration, one a line, nothing
 * enqueued. What becomes no job is named on stderr with the reason, and the exit code is not 0.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { SluiceError } from '../../errors.ts';
import { NEAR_MS } from '../../job/late.ts';
import type { Config } from '../config/schema.ts';
import { createContext, schemasFor, workersFor } from '../context.ts';
import { EXIT } from '../exit.ts';
import { printLines } from '../output.ts';
import { inputOf } from '../produce-input.ts';
import { timeOf } from '../time.ts';
import { checkFlags, checkTarget, checkType, type DecodeFlags, isStored, topicOf } from './flags.ts';
import { type JobOf, jobTexts } from './jobs.ts';
import {
  type BadLine,
  type BytesOf,
  base64Bytes,
  type Common,
  messageBytes,
  type Sample,
  sampleOf,
  samplesOf,
} from './samples.ts';
import { storedSample } from './stored.ts';

export async function decode(type: string | undefined, flags: DecodeFlags): Promise<number> {
  checkFlags(flags);
  const { config } = await createContext(flags, 'decode');
  const topic = topicOf(config, flags.topic);
  const settings = config.topics[topic] as Config['topics'][string];
  checkTarget(topic, settings, flags.as);
  checkType(topic, settings, type);
  const nowMs = flags.time === undefined ? Date.now() : timeOf('--time', flags.time, Date.now());
  const schemas = schemasFor(config);
  const workers = settings.target === 'bullmq' ? await workersFor(config, schemas) : undefined;
  const bytesFor = flags.base64 ? base64Bytes : messageBytes(settings, type, schemas, nowMs);
  const samples = isStored(flags)
    ? one(() => storedSample(config, { topic, partition: flags.partition, offset: flags.offset }))
    : given(flags, bytesFor, { topic, timestamp: nowMs, key: flags.key });
  return print(samples, jobTexts(config, topic, schemas, workers), nowMs);
}

function given(flags: DecodeFlags, bytesFor: BytesOf, common: Common): AsyncIterable<Sample | BadLine> {
  const { raw, file } = flags;
  if (!raw) return samplesOf(inputOf(flags), bytesFor, common);
  return one(async () => sampleOf(file ?? 'stdin', 0, await bytesOf(file), common));
}

async function print(samples: AsyncIterable<Sample | BadLine>, jobOf: JobOf, nowMs: number): Promise<number> {
  const counts = { jobs: 0, refused: 0 };
  for await (const sample of samples) {
    const job = 'error' in sample ? sample : jobOf(sample.record, sample.id, nowMs);
    if ('error' in job) {
      counts.refused += 1;
      say(sample.name, 'reason' in job ? `${job.reason}: ${job.error}` : job.error);
    } else {
      counts.jobs += 1;
      printLines([onOneLine(job.text)]);
      if (job.delayMs > 0) say(sample.name, dueText(job.delayMs, nowMs));
    }
  }
  if (counts.jobs + counts.refused === 0) throw new SluiceError('USAGE', 'nothing to decode: no line came');
  if (counts.refused === 0) return EXIT.ok;
  return counts.jobs > 0 ? EXIT.partial : EXIT.failed;
}

/** Ends of lines stand between values only: within a text, JSON writes them otherwise. */
function onOneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}

function say(name: string, what: string): void {
  process.stderr.write(`${name}: ${what}\n`);
}

function dueText(delayMs: number, nowMs: number): string {
  const until = new Date(nowMs + delayMs).toISOString();
  return `waits until ${until}${delayMs > NEAR_MS ? ', in Kafka until shortly before' : ''}`;
}

async function* one(sample: () => Promise<Sample>): AsyncGenerator<Sample> {
  yield await sample();
}

function bytesOf(file: string | undefined): Promise<Buffer> {
  if (file === undefined) return buffer(process.stdin);
  if (!existsSync(file)) throw new SluiceError('USAGE', `--file: ${file} is not there`);
  return readFile(file);
}
