/** Rules between values, which no single schema sees. Gate thresholds of different units are compared at run time. */
import { SIDEKIQ_QUEUE_NAME } from '../../job/sidekiq-fields.ts';
import { RUBY_CLASS } from '../../job/sidekiq-job.ts';
import type { GateConfig } from '../../redis/config.ts';
import { suggestion } from '../../suggest.ts';
import { type Path, written } from './paths.ts';
import type { Config } from './schema.ts';

/** The default queue exists without being configured. */
const DEFAULT_QUEUE = 'default';

export interface Problem {
  readonly path: Path;
  readonly text: string;
}

export function crossChecks(config: Config): Problem[] {
  return [
    ...emptyTables(config),
    ...queueProblems(config),
    ...topicProblems(config),
    ...sidekiqProblems(config),
    ...gateProblems(config),
  ];
}

function* emptyTables({ topics }: Config): Generator<Problem> {
  if (Object.keys(topics).length === 0) yield { path: ['topics'], text: 'names no topic; leave it out, or name one' };
}

function* queueProblems({ queues, sidekiq, redis }: Config): Generator<Problem> {
  const named: [Path, string][] = Object.entries(queues).map(([name, queue]) => [
    ['queues', name, 'redis'],
    queue.redis,
  ]);
  for (const [path, name] of [...named, [['sidekiq', 'redis'], sidekiq.redis] as [Path, string]]) {
    if (Object.hasOwn(redis, name)) continue;
    yield { path, text: `no Redis is called ${JSON.stringify(name)}${oneOf(name, Object.keys(redis))}` };
  }
}

/** What a topic says about messages and about whose jobs they become has to fit together. */
function* sidekiqProblems({ topics }: Config): Generator<Problem> {
  for (const [name, topic] of Object.entries(topics)) {
    const found = topic.target === 'sidekiq' ? problemsOfSidekiq(topic) : problemsOfBullMq(topic);
    for (const [key, text] of found) yield { path: ['topics', name, key], text };
  }
}

function* problemsOfSidekiq(topic: Config['topics'][string]): Generator<readonly [keyof typeof topic, string]> {
  if (topic.record === 'sidekiq') {
    if (topic.class !== undefined) yield ['class', 'a Sidekiq job names its own class; leave it out'];
    if (topic.arguments !== 'json') yield ['arguments', 'a Sidekiq job brings its own arguments; leave it out'];
    if (topic.unknownFields !== 'count') yield ['unknownFields', 'a Sidekiq job may have any fields; leave it out'];
  } else if (topic.class === undefined) {
    yield ['class', 'missing; name the Ruby class, or set record to "sidekiq"'];
  }
  if (typeof topic.class === 'string' && !RUBY_CLASS.test(topic.class))
    yield ['class', `${JSON.stringify(topic.class)} is no Ruby class; such as "HardJob" or "Billing::Charge"`];
  if (typeof topic.queue === 'string' && !SIDEKIQ_QUEUE_NAME.test(topic.queue))
    yield [
      'queue',
      `${JSON.stringify(topic.queue)} is no Sidekiq queue; allowed: letters, digits, "_", "-", "." and ":"`,
    ];
  if (topic.queues !== undefined) yield ['queues', 'means nothing for Sidekiq, which has one Redis'];
}

function* problemsOfBullMq(topic: Config['topics'][string]): Generator<readonly [keyof typeof topic, string]> {
  const onlySidekiq = 'means nothing unless target is "sidekiq"';
  if (topic.record === 'sidekiq') yield ['target', 'must be "sidekiq" for Sidekiq records'];
  if (topic.class !== undefined) yield ['class', onlySidekiq];
  if (topic.arguments !== 'json') yield ['arguments', onlySidekiq];
  if (topic.settle !== 'enqueued') yield ['settle', onlySidekiq];
}

function* topicProblems(config: Config): Generator<Problem> {
  const known = [DEFAULT_QUEUE, ...Object.keys(config.queues)];
  for (const [name, topic] of Object.entries(config.topics)) {
    const path = ['topics', name];
    if ((topic.record === 'protobuf' || topic.record === 'json') && topic.message === undefined) {
      yield {
        path: [...path, 'message'],
        text: `missing; a topic of ${topic.record} records names their message type`,
      };
    }
    if (topic.record === 'envelope' && topic.message !== undefined) {
      yield {
        path: [...path, 'message'],
        text: 'an envelope names its own message type; set record to "protobuf" or "json", or leave it out',
      };
    }
    if (topic.record === 'sidekiq' && topic.message !== undefined) {
      yield { path: [...path, 'message'], text: 'a Sidekiq job is no message; leave it out' };
    }
    for (const queue of topic.target === 'bullmq' ? (topic.queues ?? []) : []) {
      if (known.includes(queue)) continue;
      yield { path: [...path, 'queues'], text: `no queue is called ${JSON.stringify(queue)}${oneOf(queue, known)}` };
    }
  }
}

function* gateProblems({ redis }: Config): Generator<Problem> {
  for (const [name, { gate }] of Object.entries(redis)) {
    const path = ['redis', name, 'gate'];
    const [closeAt, openAt] = [comparable(gate.closeAt), comparable(gate.openAt)];
    if (closeAt.unit === openAt.unit && openAt.value >= closeAt.value) {
      yield { path: [...path, 'openAt'], text: `${gate.openAt} must be below closeAt (${gate.closeAt})` };
    }
    yield* depthProblems(path, gate);
  }
}

function* depthProblems(path: Path, { openAtDepth, closeAtDepth }: GateConfig): Generator<Problem> {
  if (openAtDepth === undefined) return;
  const at = [...path, 'openAtDepth'];
  if (closeAtDepth === undefined) yield { path: at, text: 'means nothing without closeAtDepth' };
  else if (openAtDepth >= closeAtDepth)
    yield { path: at, text: `${openAtDepth} must be below closeAtDepth (${closeAtDepth})` };
}

const BYTES: Readonly<Record<string, number>> = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

function comparable(threshold: number | string): { unit: '%' | 'bytes'; value: number } {
  if (typeof threshold === 'number') return { unit: 'bytes', value: threshold };
  const value = Number.parseFloat(threshold);
  if (threshold.endsWith('%')) return { unit: '%', value };
  return { unit: 'bytes', value: value * (BYTES[threshold.slice(-2).toLowerCase()] ?? 1) };
}

function oneOf(word: string, known: readonly string[]): string {
  return suggestion(word, known) || `; there are: ${known.join(', ')}`;
}

export function problemText({ path, text }: Problem, from: string): string {
  return `${written(path)}${from}: ${text}`;
}
