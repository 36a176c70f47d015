/** Rules between values, which no single schema sees. Gate thresholds of different units are compared at run time. */
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
  return [...emptyTables(config), ...queueProblems(config), ...topicProblems(config), ...gateProblems(config)];
}

function* emptyTables({ topics }: Config): Generator<Problem> {
  if (Object.keys(topics).length === 0) yield { path: ['topics'], text: 'names no topic; leave it out, or name one' };
}

function* queueProblems({ queues, redis }: Config): Generator<Problem> {
  for (const [name, queue] of Object.entries(queues)) {
    if (Object.hasOwn(redis, queue.redis)) continue;
    const path = ['queues', name, 'redis'];
    yield { path, text: `no Redis is called ${JSON.stringify(queue.redis)}${oneOf(queue.redis, Object.keys(redis))}` };
  }
}

function* topicProblems(config: Config): Generator<Problem> {
  const known = [DEFAULT_QUEUE, ...Object.keys(config.queues)];
  for (const [name, topic] of Object.entries(config.topics)) {
    const path = ['topics', name];
    if (topic.record !== 'envelope' && topic.message === undefined) {
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
    for (const queue of topic.queues ?? []) {
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
