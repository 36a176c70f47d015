/** Topics of a test's own, and an independent reader of them. */
import { randomUUID } from 'node:crypto';
import { decodeMetadata } from '../../src/bridge/metadata.ts';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { type KafkaConfig, kafkaConfig } from '../../src/kafka/config.ts';
import { silentLog } from '../../src/log.ts';
import { createProducer, type Producer } from '../../src/producer/producer.ts';
import { ROOT } from './sluice.ts';
import { kafkaBrokers } from './stack.ts';

export interface TestTopic {
  readonly topic: string;
  readonly groupId: string;
  readonly kafka: KafkaConfig;
  readonly producer: Producer;
  /** Ends of the log minus beginnings, over all partitions. */
  size(topic?: string): Promise<number>;
  /** Records that are not committed. */
  lag(): Promise<number>;
  committed(): Promise<ReadonlyMap<string, { offset: number; metadata: string }>>;
  /** What Kafka holds as finished, below the committed offsets and in their metadata, as `partition/offset`. */
  finished(): Promise<Set<string>>;
  stop(): Promise<void>;
}

export async function makeTopic(partitions = 3): Promise<TestTopic> {
  const id = randomUUID().slice(0, 8);
  const topic = `test.${id}`;
  const groupId = `test-${id}`;
  const kafka = kafkaConfig.parse({ brokers: kafkaBrokers(), groupId });
  const admin = createKafkaAdmin(kafka, silentLog);
  await admin.ensureTopics([{ topic, partitions }]);
  const producer = createProducer({ via: 'kafka', topic, proto: [`${ROOT}proto`], kafka });
  return {
    topic,
    groupId,
    kafka,
    producer,
    async size(of = topic) {
      if (!(await admin.topics()).includes(of)) return 0;
      return [...(await admin.bounds([of])).values()].reduce((sum, { low, high }) => sum + high - low, 0);
    },
    async lag() {
      const [bounds, committed] = await Promise.all([admin.bounds([topic]), admin.committed(groupId, [topic])]);
      return [...bounds].reduce((sum, [key, { low, high }]) => sum + high - (committed.get(key)?.offset ?? low), 0);
    },
    committed: () => admin.committed(groupId, [topic]),
    async finished() {
      const finished = new Set<string>();
      for (const [partition, { offset, metadata }] of await admin.committed(groupId, [topic])) {
        const known = decodeMetadata(offset, metadata);
        const ranges = [{ start: 0, end: offset }, ...(typeof known === 'object' ? known.finished : [])];
        for (const { start, end } of ranges)
          for (let each = start; each < end; each++) finished.add(`${partition.split('/')[1]}/${each}`);
      }
      return finished;
    },
    async stop() {
      await producer.close();
      await admin.stop(1_000);
    },
  };
}

/** Page views numbered from `start`, with few keys. */
export function views(count: number, start = 0, text = '') {
  return Array.from({ length: count }, (_, i) => ({
    type: 'acme.web.v1.PageView',
    message: { url: `https://shop.example/${start + i}`, title: text },
    key: `user-${(start + i) % 40}`,
  }));
}
