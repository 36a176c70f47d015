/** Topics of records that each make one job. */
import { createKafkaAdmin } from '../src/kafka/admin.ts';
import { kafkaConfig } from '../src/kafka/config.ts';
import { createRecordProducer } from '../src/kafka/record-producer.ts';
import { silentLog } from '../src/log.ts';

export const PARTITIONS = 6;

/** Longest request; Kafka refuses those over a mebibyte. */
const REQUEST_BYTES = 800_000;
const REQUEST_RECORDS = 5_000;

export interface Filling {
  readonly topic: string;
  readonly brokers: string;
  readonly records: number;
  readonly partitions?: number;
  readonly value: (n: number) => Buffer;
}

export async function makeTopic({
  topic,
  brokers,
  partitions = PARTITIONS,
}: Pick<Filling, 'topic' | 'brokers' | 'partitions'>) {
  const admin = createKafkaAdmin(kafkaConfig.parse({ brokers: brokers.split(',') }), silentLog);
  await admin.ensureTopics([{ topic, partitions }]);
  await admin.stop(1_000);
}

export async function fillTopic(filling: Filling): Promise<void> {
  const { topic, brokers, records, partitions = PARTITIONS, value } = filling;
  await makeTopic(filling);
  const producer = createRecordProducer(kafkaConfig.parse({ brokers: brokers.split(',') }), silentLog);
  const atOnce = Math.max(1, Math.min(REQUEST_RECORDS, Math.floor(REQUEST_BYTES / value(0).length)));
  for (let sent = 0; sent < records; sent += atOnce) {
    const count = Math.min(atOnce, records - sent);
    const batch = Array.from({ length: count }, (_, i) => sent + i);
    await producer.send(
      topic,
      batch.map((n) => ({ key: String(n), value: value(n), partition: n % partitions })),
    );
  }
  await producer.stop(5_000);
}
