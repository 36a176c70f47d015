/**
 * A producer whose writes are all or nothing, over KafkaJS's transactions. A write that fails is taken back; after one
 * whose end is unknown, only a new producer of the same name can tell: it starts when that is decided.
 */
import type { Producer, TopicMessages, Transaction } from 'kafkajs';
import { SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { createClient, kafkaError } from './client.ts';
import type { KafkaConfig } from './config.ts';
import type { AddressedRecord, TransactionalProducer } from './consumer.ts';
import { toMessage } from './from-client.ts';
import { settledPartitioner } from './partitioner.ts';
import { pieces } from './requests.ts';

/** Readers wait so long for one that was killed in the middle of a write. */
const TRANSACTION_TIMEOUT_MS = 10_000;
const WRITE_WITHIN_MS = 30_000;
/** The end of a transaction takes some milliseconds to settle, and the next one is refused meanwhile. */
const RETRY = { initialRetryTime: 10, maxRetryTime: 1_000, retries: 10 };

export function createTransactionalProducer(config: KafkaConfig, name: string, log: Log): TransactionalProducer {
  const producer: Producer = createClient(config, log, (kafka) =>
    kafka.producer({
      transactionalId: name,
      transactionTimeout: TRANSACTION_TIMEOUT_MS,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: settledPartitioner,
      retry: RETRY,
    }),
  );

  async function timed<T>(what: string, work: Promise<T>): Promise<T> {
    try {
      const done = await within(
        WRITE_WITHIN_MS,
        work.then((value) => ({ value })),
      );
      if (done !== undefined) return done.value;
    } catch (error) {
      throw kafkaError(what, config.brokers, error);
    }
    const where = `Kafka at ${config.brokers.join(', ')}`;
    throw new SluiceError('UNREACHABLE', `${what}: ${where} did not answer within ${WRITE_WITHIN_MS} ms`);
  }

  async function write(records: readonly AddressedRecord[]): Promise<void> {
    const transaction = await producer.transaction();
    try {
      await send(transaction, records);
    } catch (error) {
      await transaction.abort().catch(() => undefined);
      throw error;
    }
    await transaction.commit();
  }

  return {
    async start() {
      // KafkaJS takes the name with its first transaction.
      const taking = producer.connect().then(async () => (await producer.transaction()).abort());
      await timed(`taking the name ${name}`, taking);
    },
    async stop(deadlineMs) {
      await within(
        deadlineMs,
        producer.disconnect().catch(() => undefined),
      );
    },
    write: (records) => timed('writing a transaction', write(records)),
  };
}

async function send(transaction: Transaction, records: readonly AddressedRecord[]): Promise<void> {
  for (const topicMessages of requests(records)) await transaction.sendBatch({ acks: -1, topicMessages });
}

/** A request holds no more of a topic than its usual limit allows. */
function requests(records: readonly AddressedRecord[]): TopicMessages[][] {
  const parts = [...Map.groupBy(records, ({ topic }) => topic)].map(([topic, of]) => pieces(topic, of));
  const count = Math.max(0, ...parts.map(({ length }) => length));
  return Array.from({ length: count }, (_, i) =>
    parts.flatMap(({ [i]: piece }) =>
      piece === undefined ? [] : [{ topic: piece.topic, messages: piece.records.map(toMessage) }],
    ),
  );
}
