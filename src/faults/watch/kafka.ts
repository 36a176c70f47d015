/**
 * Kafka as seen by a client that has nothing to do with Sluice: what the group has committed, read several times a
 * second, and every dead letter. Where Kafka is away, there are no readings; nothing is made up.
 */
import type { Admin, Consumer } from 'kafkajs';
import { systemClock } from '../../clock.ts';
import { within } from '../../service.ts';
import type { History } from '../history.ts';
import { type KafkaAddress, kafkaClient } from '../kafka-client.ts';

const LOOK_MS = 200;
const STOP_MS = 3_000;
/** Soon back after the broker was away. The session is the shortest that brokers take by themselves. */
const READER = {
  sessionTimeout: 6_000,
  heartbeatInterval: 500,
  rebalanceTimeout: 3_000,
  maxWaitTimeInMs: 250,
  retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 1_000 },
};

export interface KafkaWatchOptions {
  readonly kafka: KafkaAddress;
  readonly groupId: string;
  readonly topic: string;
  /** Has one partition. */
  readonly letterTopic: string;
  readonly history: History;
}

export interface KafkaWatch {
  readonly admin: Admin;
  stop(): Promise<void>;
}

export async function watchKafka(options: KafkaWatchOptions): Promise<KafkaWatch> {
  const { kafka, groupId, letterTopic } = options;
  const client = kafkaClient(kafka, 3);
  const admin = client.admin();
  const reader = client.consumer({ groupId: `${groupId}-letters`, ...READER });
  await Promise.all([admin.connect(), reader.connect()]);
  await readLetters(reader, letterTopic, options.history);
  const stopping = new AbortController();
  const looking = lookUntil(stopping.signal, admin, options);
  return {
    admin,
    async stop() {
      stopping.abort();
      await within(STOP_MS, looking);
      await within(
        STOP_MS,
        Promise.all([reader.disconnect(), admin.disconnect()]).catch(() => []),
      );
    },
  };
}

async function lookUntil(signal: AbortSignal, admin: Admin, options: KafkaWatchOptions): Promise<void> {
  const seen = new Map<number, string>();
  while (!signal.aborted) {
    await look(admin, options, seen).catch(() => admin.connect().catch(() => undefined));
    await systemClock.sleep(LOOK_MS, signal);
  }
}

/** The letters are asked for after the commits: those that a commit speaks of are there by then. */
async function look(admin: Admin, options: KafkaWatchOptions, seen: Map<number, string>): Promise<void> {
  const { groupId, topic, letterTopic, history } = options;
  const [answer] = await admin.fetchOffsets({ groupId, topics: [topic] });
  const [ends] = await admin.fetchTopicOffsets(letterTopic);
  for (const { partition, offset, metadata } of answer?.partitions ?? []) {
    const text = `${offset} ${metadata}`;
    if (Number(offset) < 0 || seen.get(partition) === text) continue;
    seen.set(partition, text);
    const place = { topic, partition, offset: Number(offset) };
    history.append({ is: 'committed', ...place, metadata: metadata ?? '', letters: Number(ends?.high ?? 0) });
  }
}

async function readLetters(reader: Consumer, topic: string, history: History): Promise<void> {
  await reader.subscribe({ topics: [topic], fromBeginning: true });
  await reader.run({
    autoCommit: false,
    eachMessage: async ({ message: { headers = {}, offset } }) => {
      const text = (name: string) => String(headers[`sluice.${name}`] ?? '');
      const place = { topic: text('topic'), partition: Number(text('partition')), offset: Number(text('offset')) };
      history.append({ is: 'letter', ...place, letter: Number(offset), reason: text('reason') });
    },
  });
}
