/**
 * Writes records of several topics at once, all or none, over KafkaJS's transactions. `open` shuts out whoever used
 * the same id before: what that one had begun is undone, and nothing of it can succeed any more (rejects DISOWNED).
 * After a rejection it is unknown what became of the records: open again, and read what they would have left.
 */
import kafkajs, { type Producer, type TopicMessages } from 'kafkajs';
import { SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { createClient, errorType, kafkaError } from './client.ts';
import { registerCodecs } from './codecs.ts';
import type { KafkaConfig } from './config.ts';
import type { AddressedRecord, Transactor } from './consumer.ts';
import { toMessage } from './from-client.ts';
import { pieces } from './requests.ts';

const DEADLINE_MS = 20_000;
/** Kafka undoes by itself what a writer left behind that never came back; until then readers wait there. */
const TRANSACTION_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** The end of a transaction takes a few milliseconds to settle; the next one is refused meanwhile. */
const RETRY = { initialRetryTime: 10, maxRetryTime: 1_000, retries: 10 };
/** What Kafka says to a writer that another one has shut out, or whose transaction it has undone. */
const SHUT_OUT = new Set([
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'PRODUCER_FENCED',
  'UNKNOWN_PRODUCER_ID',
]);

export function createTransactor(config: KafkaConfig, log: Log, transactionalId: string): Transactor {
  registerCodecs();
  let producer: Producer | undefined;

  async function opened(made: Producer): Promise<void> {
    await made.connect();
    // The id is taken with the first transaction; an empty one asks Kafka for nothing else.
    await (await made.transaction()).abort();
  }

  async function written(by: Producer, records: readonly AddressedRecord[]): Promise<void> {
    const transaction = await by.transaction();
    for (const topicMessages of rounds(records)) {
      await transaction.sendBatch({ acks: -1, timeout: REQUEST_TIMEOUT_MS, topicMessages });
    }
    await transaction.commit();
  }

  async function inTime(what: string, work: Promise<void>): Promise<void> {
    const where = `Kafka at ${config.brokers.join(', ')}`;
    let isDone = false;
    try {
      await within(
        DEADLINE_MS,
        work.then(() => {
          isDone = true;
        }),
      );
    } catch (error) {
      abandon();
      if (SHUT_OUT.has(errorType(error))) {
        throw new SluiceError('DISOWNED', `${what}: another writer has taken over`, { cause: error });
      }
      throw kafkaError(what, config.brokers, error);
    }
    if (isDone) return;
    abandon();
    throw new SluiceError('UNREACHABLE', `${what}: ${where} did not answer within ${DEADLINE_MS} ms`);
  }

  function abandon(): void {
    const abandoned = producer;
    producer = undefined;
    void abandoned?.disconnect().catch(() => undefined);
  }

  return {
    async open() {
      abandon();
      producer = createClient(config, log, (kafka) =>
        kafka.producer({
          transactionalId,
          idempotent: true,
          maxInFlightRequests: 1,
          transactionTimeout: TRANSACTION_TIMEOUT_MS,
          allowAutoTopicCreation: false,
          createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
          retry: RETRY,
        }),
      );
      await inTime(`opening the transactions of ${transactionalId}`, opened(producer));
    },

    async write(records) {
      const topics = [...new Set(records.map(({ topic }) => topic))].join(', ');
      if (producer === undefined) throw new SluiceError('DISOWNED', `producing to ${topics}: not open`);
      await inTime(`producing to ${topics}`, written(producer, records));
    },

    async close() {
      const closing = producer?.disconnect().catch(() => undefined) ?? Promise.resolve();
      producer = undefined;
      await within(1_000, closing);
    },
  };
}

/** A request holds no more of a topic than its usual limit allows. */
function rounds(records: readonly AddressedRecord[]): TopicMessages[][] {
  const topics = Map.groupBy(records, ({ topic }) => topic);
  const parts = [...topics].map(([topic, of]) =>
    pieces(
      topic,
      of.map(({ record }) => record),
    ),
  );
  const count = Math.max(0, ...parts.map(({ length }) => length));
  return Array.from({ length: count }, (_, round) =>
    parts.flatMap(({ [round]: piece }) =>
      piece === undefined ? [] : [{ topic: piece.topic, messages: piece.records.map(toMessage) }],
    ),
  );
}
