/**
 * All that a fault can be done to, opened for one run: the processes under test, the ways between them and the
 * servers, the servers themselves where they are the kit's own, and the watches that write the history.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock.ts';
import { SluiceError } from '../errors.ts';
import { Fleet, type Member, type Program } from './fleet.ts';
import { type History, openHistory } from './history.ts';
import { type KafkaAddress, kafkaClient, makeTopics } from './kafka-client.ts';
import { type KafkaProxy, startKafkaProxy } from './kafka-proxy.ts';
import type { Command, Special } from './load/run-producer.ts';
import { uuidOf } from './load/uuid.ts';
import { LocalRedis, startLocalServer } from './local-redis.ts';
import { type Programs, writePrograms } from './programs.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { cleanUp, usedBytes } from './strangers.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { type KafkaWatch, watchKafka } from './watch/kafka.ts';
import { Progress } from './watch/progress.ts';
import { RedisWatch } from './watch/redis.ts';

const COMMAND = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
const PARTITIONS = 4;
const QUEUE = 'probes';
const STOCK_QUEUE = 'stock-probes';
/** Short, so that a killed bridge is missed soon. */
const SESSION_TIMEOUT_MS = 3_000;
const ACKED_WITHIN_MS = 10_000;
const LOOK_MS = 20;
/** Above what Redis holds already, where others use it too. */
const CLOSE_ABOVE_BYTES = 10 * 1_048_576;
const OPEN_ABOVE_BYTES = 8 * 1_048_576;

/** A broker that the kit may kill and start again, on the same address with the same data. */
export interface BrokerControl {
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface WorldOptions {
  /** Of the run: history, logs, programs. */
  readonly dir: string;
  readonly seed: number;
  /** Records a second. */
  readonly rate: number;
  readonly kafka: KafkaAddress;
  /** Given when the broker is the kit's own. */
  readonly broker?: BrokerControl | undefined;
  /** Undefined: the kit starts one of its own. */
  readonly redisUrl?: string | undefined;
  /** Begins the names of topics, groups and keys. */
  readonly prefix: string;
  /** Environment that processes are started in. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface World {
  readonly dir: string;
  readonly topic: string;
  readonly groupId: string;
  readonly kafka: KafkaAddress;
  readonly history: History;
  readonly progress: Progress;
  readonly fleet: Fleet;
  readonly programs: Programs;
  readonly receiver: Receiver;
  readonly kafkaWatch: KafkaWatch;
  readonly redisWatch: RedisWatch;
  readonly broker: BrokerControl | undefined;
  /** The kit's own Redis. */
  readonly redis: LocalRedis | undefined;
  /** Ways that can be cut: bridges to Redis, workers to Redis, and each bridge to Kafka. */
  readonly toRedis: { readonly bridges: TcpProxy; readonly workers: TcpProxy } | undefined;
  readonly toKafka: readonly KafkaProxy[];
  partitions: number;
  /** The gate's threshold. */
  readonly closeAtBytes: number;
  bridge(index?: number): Program;
  host(): Program;
  stock(): Program;
  /** For programs of another group and topic. */
  command(args: readonly string[], topic: string, groupId: string): Program;
  produce(command: Command): void;
  /** Resolves when Kafka has acked such a record. */
  place(special: Special): Promise<void>;
  close(): Promise<void>;
  /** Without waiting: the kit itself is ending. */
  killNow(): void;
}

export async function openWorld(options: WorldOptions): Promise<World> {
  const { dir, seed, rate, kafka, broker, prefix, env } = options;
  mkdirSync(dir, { recursive: true });
  const history = openHistory(join(dir, 'history.ndjson'));
  const topic = `${prefix}.probes`;
  const groupId = `${prefix}-bridges`;
  await makeOwnTopics(kafka, topic);

  const server = options.redisUrl === undefined ? await startLocalServer() : undefined;
  const redisUrl = options.redisUrl ?? (server as { url: string }).url;
  const toRedis = redisUrl.startsWith('redis:') ? await openNetworks(redisUrl) : undefined;
  const toKafka = broker === undefined ? [] : await openKafkaNetworks(kafka);
  const bridgesUrl = throughProxy(redisUrl, toRedis?.bridges);
  const workersUrl = throughProxy(redisUrl, toRedis?.workers);

  const fleet = new Fleet({ dir, history, env: withoutSettings(env) });
  const receiver = await startReceiver({ onEvent: (id) => void history.append({ is: 'arrived', id }) });
  const programs = writePrograms({
    dir,
    history: history.file,
    queue: QUEUE,
    stock: { redisUrl: workersUrl, prefix, queue: STOCK_QUEUE },
    producer: { kafka, topic, partitions: PARTITIONS, stockQueue: STOCK_QUEUE, seed, rate },
  });
  const kafkaWatch = await watchKafka({ kafka, groupId, topic, letterTopic: `${topic}.dlq`, history });
  const bridges = () => fleet.of('bridge').length;
  const redisWatch = new RedisWatch({ url: redisUrl, prefix, queues: [QUEUE, STOCK_QUEUE], history, bridges });
  const baseBytes = server === undefined ? await usedBytes(redisWatch.redis, `${prefix}:${QUEUE}:meta`) : 0;
  await redisWatch.begin();
  const networks = toRedis === undefined ? [] : [toRedis.bridges, toRedis.workers];
  const closeAtBytes = baseBytes + CLOSE_ABOVE_BYTES;
  const redis = server && new LocalRedis({ server, networks, watch: redisWatch });

  function sluice(args: readonly string[], own: Readonly<Record<string, string>>): Program {
    const { ssl, sasl } = kafka;
    const settings = {
      COLLECTOR_URL: receiver.url,
      SLUICE_REDIS__MAIN__PREFIX: prefix,
      SLUICE_REDIS__MAIN__GATE: JSON.stringify({ closeAt: closeAtBytes, openAt: baseBytes + OPEN_ABOVE_BYTES }),
      SLUICE_KAFKA__SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
      SLUICE_WORKERS: programs.workers,
      SLUICE_LOG__LEVEL: 'info',
      ...(ssl !== undefined && { SLUICE_KAFKA__SSL: JSON.stringify(ssl) }),
      ...(sasl !== undefined && { SLUICE_KAFKA__SASL: JSON.stringify(sasl) }),
    };
    return { args: [COMMAND, ...args], env: { ...settings, ...own } };
  }

  function placed(of: string, group: string, brokers: readonly string[], url: string) {
    return {
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: url,
      SLUICE_KAFKA__GROUP_ID: group,
      SLUICE_TOPICS: JSON.stringify({ [of]: {} }),
    };
  }

  let specials = 0;
  const world: World = {
    dir,
    topic,
    groupId,
    kafka,
    history,
    progress: new Progress(history.file),
    fleet,
    programs,
    receiver,
    kafkaWatch,
    redisWatch,
    broker,
    redis,
    toRedis,
    toKafka,
    partitions: PARTITIONS,
    closeAtBytes,
    bridge: (index = 0) =>
      sluice(['bridge'], placed(topic, groupId, toKafka[index % toKafka.length]?.brokers ?? kafka.brokers, bridgesUrl)),
    host: () => sluice(['work'], placed(topic, groupId, kafka.brokers, workersUrl)),
    stock: () => ({ args: [programs.stock], env: {} }),
    command: (args, of, group) => sluice(args, placed(of, group, kafka.brokers, bridgesUrl)),
    produce(command) {
      for (const member of fleet.of('producer')) member.send(command);
    },
    async place(special) {
      // One whose fate is unknown is never acked: another takes its place.
      for (;;) {
        const id = uuidOf(`${seed}/special/${++specials}`);
        world.progress.await(id);
        world.produce({ ...special, id });
        for (let waited = 0; waited < ACKED_WITHIN_MS; waited += LOOK_MS) {
          await systemClock.sleep(LOOK_MS);
          if (!world.progress.isAwaited(id)) return;
        }
      }
    },
    async close() {
      await fleet.stop();
      if (server === undefined) await cleanUp(world, prefix).catch(() => undefined);
      await Promise.all([kafkaWatch.stop(), redisWatch.stop(), receiver.stop()]);
      await Promise.all([...networks.map((network) => network.stop()), ...toKafka.map((network) => network.stop())]);
      await redis?.stop();
    },
    killNow() {
      fleet.killNow();
      redis?.killNow();
    },
  };
  return world;
}

/** For kinds that need it; others are not offered where it is not the kit's own. */
export function ownRedis({ redis }: World): LocalRedis {
  if (redis === undefined) throw new Error('this Redis is not the own one');
  return redis;
}

/** The process of a role that a fault is done to, chosen by a number from 0 to 1. */
export function pick(members: readonly Member[], drawn: number): Member {
  const member = members[Math.floor(drawn * members.length)];
  if (member === undefined) throw new Error('no process of this role is running');
  return member;
}

/** Settings of the product that the caller's environment may hold, and that are not meant for this. */
function withoutSettings(env: WorldOptions['env']): WorldOptions['env'] {
  const isSetting = /^(SLUICE_(?!TEST_)|KAFKA_BROKERS|REDIS_URL|COLLECTOR_URL)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isSetting.test(name)));
}

async function makeOwnTopics(kafka: KafkaAddress, topic: string): Promise<void> {
  const admin = kafkaClient(kafka, 5).admin();
  await admin.connect();
  const isMade = await makeTopics(admin, [
    { topic, numPartitions: PARTITIONS },
    { topic: `${topic}.dlq`, numPartitions: 1, configEntries: [{ name: 'max.message.bytes', value: '16777216' }] },
  ]);
  await admin.disconnect();
  if (!isMade)
    throw new SluiceError('UNFIT', `the topic ${topic} or its dead-letter topic exists; choose another prefix`);
}

async function openNetworks(redisUrl: string) {
  const { hostname, port } = new URL(redisUrl);
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) };
  return { bridges: await startTcpProxy(target), workers: await startTcpProxy(target) };
}

/** One for each of the usual bridges. */
async function openKafkaNetworks({ brokers }: KafkaAddress): Promise<Awaited<ReturnType<typeof startKafkaProxy>>[]> {
  const [broker = ''] = brokers;
  return [await startKafkaProxy(broker), await startKafkaProxy(broker)];
}

function throughProxy(url: string, proxy: TcpProxy | undefined): string {
  if (proxy === undefined) return url;
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(proxy.port);
  return through.href;
}
