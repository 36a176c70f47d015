/** A topic of records that each make one job of the queue `filled`. */
import { fileURLToPath } from 'node:url';
import { createKafkaAdmin } from '../src/kafka/admin.ts';
import { kafkaConfig } from '../src/kafka/config.ts';
import { createRecordProducer } from '../src/kafka/record-producer.ts';
import { silentLog } from '../src/log.ts';
import { encodeEnvelope } from '../src/schema/envelope.ts';
import { loadSchemas } from '../src/schema/load.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const PARTITIONS = 6;
export const PAYLOAD_BYTES = 250;

const A_REQUEST = 5_000;

export async function fillTopic(topic: string, brokers: readonly string[], records: number): Promise<void> {
  const kafka = kafkaConfig.parse({ brokers: [...brokers] });
  const admin = createKafkaAdmin(kafka, silentLog);
  await admin.ensureTopics([{ topic, partitions: PARTITIONS }]);
  const value = pageView();
  const producer = createRecordProducer(kafka, silentLog);
  for (let sent = 0; sent < records; sent += A_REQUEST) {
    const count = Math.min(A_REQUEST, records - sent);
    await producer.send(
      topic,
      Array.from({ length: count }, (_, i) => ({ key: String(sent + i), value })),
    );
  }
  await producer.stop(5_000);
  await admin.stop(1_000);
}

function pageView(): Buffer {
  const codec = loadSchemas([`${ROOT}proto`]).codec('acme.web.v1.PageView');
  const message = {
    url: 'https://shop.example/products/kettle',
    userId: 'user-17',
    title: 'x'.repeat(PAYLOAD_BYTES - 60),
    status: 200,
  };
  return Buffer.from(encodeEnvelope({ type: codec.type, payload: codec.encode(message) }));
}
