/**
 * An idempotent producer over KafkaJS: acks of all in-sync replicas, no record doubled by a retry. A record that
 * the topic does not take is UNFIT; when no broker acks within the deadline, the call is UNREACHABLE and what became
 * of its records is unknown, unless there never was a connection: then the error says `isUnsent`.
 *
 * KafkaJS counts its sequence numbers back after a failure, also when the broker had written the records. The next
 * records under those numbers would then be taken for repetitions: acked, and dropped. Hence one request at a time,
 * and a new producer id after each failure. Calls that wait meanwhile share the next request.
 */
import type { Producer } from 'kafkajs';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { createClient, kafkaError } from './client.ts';
import type { KafkaConfig } from './config.ts';
import type { RecordProducer } from './consumer.ts';
import { toMessage } from './from-client.ts';
import { settledPartitioner } from './partitioner.ts';
import { type Piece, pieces, type Request, takeRequest, takeWhere } from './requests.ts';

const DELIVERY_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 10_000;

export function createRecordProducer(
  config: KafkaConfig,
  log: Log,
  deliveryTimeoutMs = DELIVERY_TIMEOUT_MS,
): RecordProducer {
  const waiting: Piece[] = [];
  let producer: Promise<Producer> | undefined;
  let wasConnected = false;
  let isSending = false;
  let isStopped = false;

  /** A failed connection is tried anew by the next call. */
  function connected(): Promise<Producer> {
    producer ??= connect();
    return producer;
  }

  async function connect(): Promise<Producer> {
    const made = createClient(config, log, (kafka) =>
      kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        createPartitioner: settledPartitioner,
      }),
    );
    try {
      await made.connect();
      wasConnected = true;
      return made;
    } catch (error) {
      void made.disconnect().catch(() => undefined);
      const { code, message } = kafkaError('connecting', config.brokers, error);
      throw new SluiceError(code, message, { cause: error, isUnsent: !wasConnected });
    }
  }

  function abandon(): void {
    const abandoned = producer;
    producer = undefined;
    void abandoned?.then((each) => each.disconnect()).catch(() => undefined);
  }

  async function sendWaiting(): Promise<void> {
    if (isSending) return;
    isSending = true;
    for (let request = takeRequest(waiting); request !== undefined; request = takeRequest(waiting)) {
      await sendRequest(request);
    }
    isSending = false;
  }

  /** A record that the topic refuses must not take its company along: the calls of the request go one by one then. */
  async function sendRequest(request: Request): Promise<void> {
    try {
      await deliver(request);
      for (const { done } of request.pieces) done.resolve();
    } catch (error) {
      abandon();
      if (request.pieces.length === 1 || !isSluiceError(error, 'UNFIT')) failed(request, error);
      else for (const piece of request.pieces) await sendRequest({ topic: request.topic, pieces: [piece] });
    }
  }

  /** What waits for the same broker fails with it, so that no call waits for the deadlines of others. */
  function failed({ topic, pieces: parts }: Request, error: unknown): void {
    const calls = new Set(parts.map(({ call }) => call));
    const isAway = isSluiceError(error, 'UNREACHABLE');
    const rest = takeWhere(waiting, (piece) => calls.has(piece.call) || (isAway && piece.topic === topic));
    for (const { done } of [...parts, ...rest]) done.reject(error);
  }

  async function deliver({ topic, pieces: parts }: Request): Promise<void> {
    const messages = parts.flatMap((piece) => piece.records.map(toMessage));
    try {
      const sending = connected().then((each) => each.send({ topic, acks: -1, timeout: REQUEST_TIMEOUT_MS, messages }));
      if ((await within(deliveryTimeoutMs, sending)) !== undefined) return;
    } catch (error) {
      throw kafkaError(`producing to ${topic}`, config.brokers, error);
    }
    const late = `Kafka at ${config.brokers.join(', ')} did not ack within ${deliveryTimeoutMs} ms`;
    throw new SluiceError('UNREACHABLE', `producing to ${topic}: ${late}`, { isUnsent: !wasConnected });
  }

  return {
    async start() {
      await connected().catch((error: unknown) => {
        abandon();
        throw error;
      });
    },

    async stop(deadlineMs) {
      isStopped = true;
      const closing = producer?.then((each) => each.disconnect());
      await within(
        deadlineMs,
        (closing ?? Promise.resolve()).catch(() => undefined),
      );
    },

    async send(topic, records) {
      if (isStopped) throw new SluiceError('STOPPED', 'the producer is closed');
      const parts = pieces(topic, records);
      waiting.push(...parts);
      void sendWaiting();
      await Promise.all(parts.map(({ done }) => done.promise));
    },
  };
}
