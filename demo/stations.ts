/**
 * All that an event passes on its way through the demo, opened for one run: its own topic, consumer group, Redis
 * prefix and port, so that runs do not mix. Every station counts for itself.
 */
import { fileURLToPath } from 'node:url';
import { freePort } from '../src/faults/free-port.ts';
import { type Receiver, startReceiver } from '../src/faults/receiver.ts';
import { createKafkaAdmin } from '../src/kafka/admin.ts';
import { kafkaConfig } from '../src/kafka/config.ts';
import type { KafkaAdmin } from '../src/kafka/consumer.ts';
import { silentLog } from '../src/log.ts';
import { gateState } from '../src/presence/gates.ts';
import { createProducer, type Producer } from '../src/producer/producer.ts';
import { connect, disconnect, type Redis } from '../src/redis/connection.ts';
import { within } from '../src/service.ts';
import { up } from '../stack/stack.ts';
import type { Counts } from './counts.ts';
import { gateInWords } from './live-line.ts';
import type { Production } from './produce.ts';
import { type QueueWatch, watchQueue } from './queue-watch.ts';
import { type SluiceUp, startSluice } from './sluice-up.ts';

const PROTO = fileURLToPath(new URL('../proto', import.meta.url));
/** Of the worker in workers/page-view.ts. */
const QUEUE = 'page-views';
const PARTITIONS = 6;
const STOP_MS = 20_000;
const CATCH_UP_MS = 10_000;
/** What a run leaves in Kafka and Redis may be looked at for so long. */
const KEPT_SECONDS = 3_600;

export interface Stations {
  readonly producer: Producer;
  readonly production: Production;
  readonly receiver: Receiver;
  readonly sluice: SluiceUp;
  readonly dashboardUrl: string;
  /** While Kafka is away, the dead letters are those of before. */
  counts(): Promise<Counts>;
  gate(): Promise<string>;
  /** Ends what the demo started, last of all the counting. Answers with the last counts. */
  close(): Promise<Counts>;
}

/** `dump`: a file for what the receiver gets. */
export async function openStations(dump: string | undefined): Promise<Stations> {
  const { KAFKA_BROKERS, REDIS_URL } = await up({ install: true });
  const run = `demo-${process.pid}-${Date.now().toString(36)}`;
  const kafka = kafkaConfig.parse({ brokers: KAFKA_BROKERS.split(','), groupId: run });
  const admin = createKafkaAdmin(kafka, silentLog);
  await admin.ensureTopics([
    { topic: run, partitions: PARTITIONS, config: { 'retention.ms': String(KEPT_SECONDS * 1_000) } },
  ]);
  const receiver = await startReceiver({ dump });
  const watch = await watchQueue(REDIS_URL, QUEUE, run);
  const redis = connect('demo', { url: REDIS_URL }, 'command', silentLog);
  const port = await freePort();
  const sluice = startSluice({
    KAFKA_BROKERS,
    REDIS_URL,
    COLLECTOR_URL: receiver.url,
    SLUICE_KAFKA__GROUP_ID: run,
    SLUICE_REDIS__MAIN__PREFIX: run,
    SLUICE_DASHBOARD__PORT: String(port),
    SLUICE_LOG__LEVEL: process.env.SLUICE_LOG__LEVEL ?? 'warn',
    SLUICE_TOPICS: JSON.stringify({ [run]: {} }),
  });
  const production: Production = { acked: 0, badLines: 0 };
  const producer = createProducer({ via: 'kafka', topic: run, proto: [PROTO], kafka });
  let letters = 0;
  const counts = async () => {
    letters = await recordsIn(admin, `${run}.dlq`);
    return countsOf(production, watch, receiver, letters);
  };

  return {
    producer,
    production,
    receiver,
    sluice,
    dashboardUrl: `http://127.0.0.1:${port}/queues`,
    counts: () => counts().catch(() => countsOf(production, watch, receiver, letters)),
    gate: () => gateIn(redis, run),

    async close() {
      await producer.close();
      await sluice.stop(STOP_MS);
      await within(CATCH_UP_MS, watch.caughtUp());
      const last = await counts();
      await expire(redis, run).catch(() => undefined);
      await Promise.all([watch.stop(), receiver.stop(), admin.stop(1_000), disconnect(redis)]);
      return last;
    },
  };
}

function countsOf({ acked }: Production, watch: QueueWatch, receiver: Receiver, deadLettered: number): Counts {
  return {
    produced: acked,
    enqueued: watch.created,
    createdTwice: watch.createdTwice,
    completed: watch.completed,
    receivedDistinct: receiver.distinct,
    receivedTotal: receiver.total,
    deadLettered,
  };
}

async function recordsIn(admin: KafkaAdmin, topic: string): Promise<number> {
  if (!(await admin.topics()).includes(topic)) return 0;
  return [...(await admin.bounds([topic])).values()].reduce((sum, { low, high }) => sum + high - low, 0);
}

async function gateIn(redis: Redis, group: string): Promise<string> {
  return gateState(redis, group, 'main').then(gateInWords, () => 'unknown');
}

/** Every key of the run has its name in it. */
async function expire(redis: Redis, run: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `*${run}*`, 'COUNT', 1_000);
    await Promise.all(keys.map((key) => redis.expire(key, KEPT_SECONDS)));
    cursor = next;
  } while (cursor !== '0');
}
