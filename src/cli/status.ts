/** `sluice status`: one look at Kafka, Redis and the roles, each within a deadline, and a verdict in one sentence. */
import { messageOf } from '../errors.ts';
import { createKafkaAdmin } from '../kafka/admin.ts';
import { partitionKey } from '../kafka/consumer.ts';
import { silentLog } from '../log.ts';
import { type Beacon, type GateView, readBeacons } from '../presence/presence.ts';
import { connect, type Redis } from '../redis/connection.ts';
import { within } from '../service.ts';
import type { Config } from './config/load.ts';
import { type CommonFlags, createContext } from './context.ts';
import { EXIT } from './exit.ts';

const READ_WITHIN_MS = 5_000;
const WATCH_MS = 2_000;
const SHAPE_VERSION = 1;

interface TopicStatus {
  readonly topic: string;
  readonly lag: number;
  readonly deadLetters: number;
}

interface QueueStatus {
  readonly queue: string;
  readonly redis: string;
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly prioritized: number;
  readonly failed: number;
}

interface Status {
  readonly version: number;
  readonly verdict: string;
  readonly isHealthy: boolean;
  readonly topics: readonly TopicStatus[];
  readonly gates: readonly GateView[];
  readonly queues: readonly QueueStatus[];
  readonly roles: readonly Beacon[];
  /** Dependencies that did not answer. */
  readonly unreachable: readonly string[];
}

export async function status(flags: CommonFlags & { json?: boolean; watch?: boolean }): Promise<number> {
  const { config } = await createContext(flags, 'status');
  for (;;) {
    const now = await look(config);
    process.stdout.write(flags.json ? `${JSON.stringify(now)}\n` : `${table(now)}\n`);
    if (!flags.watch) return exitOf(now);
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  }
}

function exitOf({ unreachable, isHealthy }: Status): number {
  if (unreachable.length > 0) return EXIT.unreachable;
  return isHealthy ? EXIT.ok : EXIT.unhealthy;
}

async function look(config: Config): Promise<Status> {
  const unreachable: string[] = [];
  const connections = Object.entries(config.redis).map(([name, settings]) => ({
    name,
    prefix: settings.prefix,
    redis: connect(name, settings, 'command', silentLog),
  }));
  const main = connections.find(({ name }) => name === 'main')?.redis as Redis;
  const attempt = async <T>(what: string, question: Promise<T>, fallback: T): Promise<T> => {
    const answer = await within(
      READ_WITHIN_MS,
      question.catch((error: unknown) => {
        unreachable.push(`${what}: ${messageOf(error)}`);
        return fallback;
      }),
    );
    if (answer !== undefined) return answer;
    unreachable.push(`${what}: no answer within ${READ_WITHIN_MS} ms`);
    return fallback;
  };
  const [topics, roles, ...queues] = await Promise.all([
    attempt('Kafka', topicStatus(config), []),
    attempt('Redis main', readBeacons(main), []),
    ...connections.map(({ name, prefix, redis }) => attempt(`Redis ${name}`, queueStatus(name, prefix, redis), [])),
  ]);
  for (const { redis } of connections) redis.disconnect();
  const gates = gatesOf(roles);
  const verdict = verdictOf(roles, gates, topics, unreachable);
  return { version: SHAPE_VERSION, ...verdict, topics, gates, queues: queues.flat(), roles, unreachable };
}

async function topicStatus(config: Config): Promise<TopicStatus[]> {
  const admin = createKafkaAdmin(config.kafka, silentLog);
  try {
    const topics = Object.keys(config.topics);
    const existing = new Set(await admin.topics());
    const consumed = topics.filter((topic) => existing.has(topic));
    const letters = consumed.map((topic) => `${topic}.dlq`).filter((topic) => existing.has(topic));
    const [bounds, committed] = await Promise.all([
      admin.bounds([...consumed, ...letters]),
      admin.committed(config.kafka.groupId, consumed),
    ]);
    return topics.map((topic) => {
      let lag = 0;
      let deadLetters = 0;
      for (const [key, { low, high }] of bounds) {
        if (isOf(topic, key)) lag += high - (committed.get(key)?.offset ?? low);
        if (isOf(`${topic}.dlq`, key)) deadLetters += high - low;
      }
      return { topic, lag, deadLetters };
    });
  } finally {
    await admin.stop(1_000);
  }
}

function isOf(topic: string, key: string): boolean {
  return key === partitionKey({ topic, partition: Number(key.slice(key.lastIndexOf('/') + 1)) });
}

async function queueStatus(name: string, prefix: string, redis: Redis): Promise<QueueStatus[]> {
  const queues: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}:*:meta`, 'COUNT', 500);
    queues.push(...keys.map((key) => key.slice(prefix.length + 1, -':meta'.length)));
    cursor = next;
  } while (cursor !== '0');
  return Promise.all(queues.sort().map((queue) => countQueue(queue, name, `${prefix}:${queue}:`, redis)));
}

async function countQueue(queue: string, name: string, prefix: string, redis: Redis): Promise<QueueStatus> {
  const [waiting, active, delayed, prioritized, failed] = await Promise.all([
    redis.llen(`${prefix}wait`),
    redis.llen(`${prefix}active`),
    redis.zcard(`${prefix}delayed`),
    redis.zcard(`${prefix}prioritized`),
    redis.zcard(`${prefix}failed`),
  ]);
  return { queue, redis: name, waiting, active, delayed, prioritized, failed };
}

interface BridgeDetail {
  readonly gates?: readonly GateView[];
  readonly partitions?: readonly { topic: string; partition: number; state: string; haltReason: string }[];
}

function detailOf(beacon: Beacon): BridgeDetail {
  return (beacon.detail ?? {}) as BridgeDetail;
}

/** As the bridges see them; a closed one outranks an open one. */
function gatesOf(roles: readonly Beacon[]): GateView[] {
  const gates = new Map<string, GateView>();
  for (const gate of roles.flatMap((beacon) => detailOf(beacon).gates ?? [])) {
    if (gates.get(gate.redis)?.isOpen !== false) gates.set(gate.redis, gate);
  }
  return [...gates.values()];
}

function verdictOf(
  roles: readonly Beacon[],
  gates: readonly GateView[],
  topics: readonly TopicStatus[],
  unreachable: readonly string[],
) {
  const unhealthy = (verdict: string) => ({ verdict, isHealthy: false });
  if (unreachable.length > 0) return unhealthy(`Cannot see everything: ${unreachable.join('; ')}`);
  if (!roles.some(({ role }) => role === 'bridge'))
    return unhealthy('No bridge is running: nothing is taken from Kafka');
  const halted = roles.flatMap((beacon) => detailOf(beacon).partitions ?? []).find(({ state }) => state === 'halted');
  if (halted !== undefined)
    return unhealthy(`Partition ${halted.topic}/${halted.partition} is halted: ${halted.haltReason}`);
  if (!roles.some(({ role }) => role === 'work')) return unhealthy('No worker is running: jobs wait');
  const closed = gates.find(({ isOpen }) => !isOpen);
  const lag = topics.reduce((sum, topic) => sum + topic.lag, 0);
  const verdict =
    closed === undefined
      ? `Keeping up: ${lag} records not finished`
      : `The gate of Redis ${closed.redis} is closed (${closed.cause}); ${lag} records not finished`;
  return { verdict, isHealthy: true };
}

function table({ verdict, topics, gates, queues, roles }: Status): string {
  const mib = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MiB`;
  return [
    verdict,
    '',
    ...columns(
      ['TOPIC', 'LAG', 'DEAD LETTERS'],
      topics.map((each) => [each.topic, each.lag, each.deadLetters]),
    ),
    '',
    ...columns(
      ['REDIS', 'GATE', 'CAUSE', 'USED', 'CLOSES AT', 'OPENS AT'],
      gates.map((each) => [
        each.redis,
        each.isOpen ? 'open' : 'closed',
        each.cause,
        mib(each.usedBytes),
        mib(each.closeAtBytes),
        mib(each.openAtBytes),
      ]),
    ),
    '',
    ...columns(
      ['QUEUE', 'REDIS', 'WAITING', 'ACTIVE', 'DELAYED', 'PRIORITIZED', 'FAILED'],
      queues.map((each) => [
        each.queue,
        each.redis,
        each.waiting,
        each.active,
        each.delayed,
        each.prioritized,
        each.failed,
      ]),
    ),
    '',
    ...columns(
      ['ROLE', 'PROCESS', 'SINCE'],
      roles.map((each) => [each.role, each.id, new Date(each.startedAt).toISOString()]),
    ),
  ].join('\n');
}

function columns(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const texts = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_name, i) => Math.max(...texts.map((row) => (row[i] ?? '').length)));
  return texts.map((row) =>
    row
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
