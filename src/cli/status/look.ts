/**
 * One look at Kafka, every Redis and the roles. Each answers within a deadline or is listed as unreachable with the
 * reason; nothing here hangs, and what could be seen is told beside what could not.
 */
import { messageOf } from '../../errors.ts';
import { DEFAULT_QUEUE } from '../../job/place.ts';
import { createKafkaAdmin } from '../../kafka/admin.ts';
import { createLetterCounter } from '../../kafka/letters/count.ts';
import { createRecordReader } from '../../kafka/record-reader.ts';
import { silentLog } from '../../log.ts';
import { type Beacon, type HeardBeacon, isSilent, readBeacons } from '../../presence/beacons.ts';
import type { GateView } from '../../presence/gates.ts';
import { readLosses } from '../../presence/losses.ts';
import { connect, lastError, type Redis } from '../../redis/connection.ts';
import type { LedgerName } from '../../redis/keys.ts';
import { within } from '../../service.ts';
import { type Config, DEFAULT_REDIS } from '../config/schema.ts';
import { topicStatus } from './kafka.ts';
import { ledgerQueues } from './ledger-queues.ts';
import { countQueue, memoryOf } from './redis.ts';
import {
  type PartitionStatus,
  type QueueStatus,
  type RedisStatus,
  SHAPE_VERSION,
  type Status,
  type TopicStatus,
} from './shape.ts';
import { sidekiqStatus } from './sidekiq.ts';
import { verdictOf } from './verdict.ts';

const ANSWER_WITHIN_MS = 5_000;
const LOSSES_SHOWN = 20;

export interface Observer {
  look(now: number): Promise<Status>;
  close(): Promise<void>;
}

/** What a bridge and a worker host tell of themselves. */
interface Detail {
  readonly gates?: readonly GateView[];
  readonly partitions?: readonly PartitionStatus[];
  readonly queues?: readonly string[];
  readonly busy?: Readonly<Record<string, number>>;
}

export function createObserver(config: Config): Observer {
  const admin = createKafkaAdmin(config.kafka, silentLog);
  const reader = createRecordReader(config.kafka, silentLog);
  const countLetters = createLetterCounter({ reader, admin });
  const servers = Object.entries(config.redis).map(([name, settings]) => createServer(name, settings));

  async function look(now: number): Promise<Status> {
    const unreachable: string[] = [];
    const group = config.kafka.groupId;
    const main = servers.find(({ name }) => name === DEFAULT_REDIS) as Server;
    const askMain = <T>(question: () => Promise<T>) =>
      answer(main.title, question, unreachable, () => lastError(main.redis));
    const [kafka, roles, losses] = await Promise.all([
      answer(`Kafka at ${config.kafka.brokers.join(', ')}`, () => lookAtKafka(now), unreachable),
      askMain(() => readBeacons(main.redis, group)),
      askMain(() => readLosses(main.redis, group, LOSSES_SHOWN)),
    ]);
    const speaking = (roles ?? []).filter((role) => !isSilent(role));
    const ledgers = kafka === undefined ? [] : ledgersOf(config, kafka.cluster, kafka.topics);
    const seen = await Promise.all(servers.map((server) => lookAt(server, speaking, ledgers, unreachable)));
    const ruby = servers.find(({ name }) => name === config.sidekiq.redis) as Server;
    const sidekiq = await answer(
      ruby.title,
      () => sidekiqStatus(ruby.redis, ruby.name).then((found) => ({ found })),
      unreachable,
      () => lastError(ruby.redis),
    );
    const partitions = speaking.flatMap((role) => detailOf(role).partitions ?? []);
    const halted = partitions.filter(({ state }) => state === 'halted');
    const expiring = partitions.filter(({ isRetentionShort }) => isRetentionShort);
    const all = {
      unreachable: [...new Set(unreachable)],
      topics: kafka?.topics ?? [],
      redis: seen.flatMap((each) => each?.status ?? []),
      queues: seen.flatMap((each) => each?.queues ?? []),
      sidekiq: sidekiq?.found ?? null,
      acknowledged: acknowledgedIn(config),
      roles: roles ?? [],
      losses: losses ?? [],
      halted,
      expiring,
    };
    return { version: SHAPE_VERSION, at: new Date(now).toISOString(), ...verdictOf(all, now), ...all };
  }

  async function lookAtKafka(now: number): Promise<{ topics: TopicStatus[]; cluster: string }> {
    const topics = Object.keys(config.topics);
    const seen = await topicStatus({ admin, reader }, config.kafka.groupId, topics, countLetters, now);
    return { topics: seen, cluster: await admin.clusterId() };
  }

  async function lookAt(
    server: Server,
    roles: readonly HeardBeacon[],
    ledgers: readonly LedgerName[],
    unreachable: string[],
  ) {
    const { name, redis, prefix, title } = server;
    const seen = async (): Promise<{ status: RedisStatus; queues: QueueStatus[] }> => {
      const queues = queuesOn(config, name, [...toldBy(roles), ...(await ledgerQueues(redis, ledgers))]);
      return {
        status: { redis: name, ...(await memoryOf(redis)), gate: gateOf(name, roles) },
        queues: await Promise.all(queues.map((queue) => countQueue(redis, name, prefix, queue))),
      };
    };
    return answer(title, seen, unreachable, () => lastError(redis));
  }

  return {
    look,
    async close() {
      for (const { redis } of servers) redis.disconnect();
      await Promise.all([admin.stop(1_000), reader.stop(1_000)]);
    },
  };
}

interface Server {
  readonly name: string;
  readonly title: string;
  readonly prefix: string;
  readonly redis: Redis;
}

function createServer(name: string, settings: Config['redis'][string]): Server {
  const redis = connect(name, settings, 'command', silentLog);
  return { name, title: `Redis ${name}`, prefix: settings.prefix, redis };
}

/** The answer, or undefined with a line in `unreachable`. */
async function answer<T>(
  who: string,
  question: () => Promise<T>,
  unreachable: string[],
  cause: () => string | undefined = () => undefined,
): Promise<T | undefined> {
  let reason = `no answer within ${ANSWER_WITHIN_MS / 1_000} s`;
  const asked = question().catch((error: unknown) => {
    reason = cause() ?? messageOf(error);
    return undefined;
  });
  const found = await within(ANSWER_WITHIN_MS, asked);
  if (found === undefined) unreachable.push(`${who}: ${reason}`);
  return found;
}

function acknowledgedIn({ topics }: Config): string[] {
  const found = Object.entries(topics).filter(
    ([, { target, settle }]) => target === 'sidekiq' && settle !== 'enqueued',
  );
  return found.map(([name]) => name);
}

function detailOf({ detail }: Beacon): Detail {
  return (detail ?? {}) as Detail;
}

/** Several bridges may stand before one Redis; a closed gate outranks an open one. */
function gateOf(name: string, roles: readonly Beacon[]): GateView | null {
  const gates = roles.flatMap((role) => detailOf(role).gates ?? []).filter(({ redis }) => redis === name);
  return gates.find(({ isOpen }) => !isOpen) ?? gates[0] ?? null;
}

/** Fed by a bridge or served by a worker host. */
function toldBy(roles: readonly Beacon[]): string[] {
  return roles.map(detailOf).flatMap(({ queues: fed = [], busy = {} }) => [...fed, ...Object.keys(busy)]);
}

/** Those that are configured, and those that are known otherwise. */
function queuesOn({ queues, topics }: Config, redis: string, known: readonly string[]): string[] {
  const usual = Object.values(topics).some(({ target }) => target === 'bullmq') ? [DEFAULT_QUEUE] : [];
  const all = [...new Set([...usual, ...Object.keys(queues), ...known])].sort();
  return all.filter((queue) => (queues[queue]?.redis ?? DEFAULT_REDIS) === redis);
}

/** Of BullMQ's jobs: those of Sidekiq's name no queues. */
function ledgersOf({ topics, kafka }: Config, cluster: string, seen: readonly TopicStatus[]): LedgerName[] {
  const fed = seen.filter(({ topic }) => topics[topic]?.target === 'bullmq');
  return fed.flatMap(({ topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ cluster, group: kafka.groupId, topic, partition })),
  );
}
