/**
 * An idempotent producer over KafkaJS: acks of all in-sync replicas, no record doubled by a retry. A record that
 * the topic does not take is UNFIT; when no broker answers, the call is UNREACHABLE after the client's retries.
 */
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { createClient, kafkaError } from './client.ts';
import type { KafkaConfig } from './config.ts';
import type { OutgoingRecord, RecordProducer } from './consumer.ts';

/** Requests stay below a topic's usual limit of 1 MiB, so that small records never fail because of their company. */
const REQUEST_BYTES = 900_000;
const RECORD_OVERHEAD_BYTES = 64;

export function createRecordProducer(config: KafkaConfig, log: Log): RecordProducer {
  const producer = createClient(config, log).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
  });
  let connecting: Promise<void> | undefined;

  async function connect(): Promise<void> {
    connecting ??= producer.connect();
    try {
      await connecting;
    } catch (error) {
      connecting = undefined;
      throw kafkaError('connecting', config.brokers, error);
    }
  }

  return {
    start: connect,

    async stop(deadlineMs) {
      await within(
        deadlineMs,
        producer.disconnect().catch(() => undefined),
      );
    },

    async send(topic, records) {
      await connect();
      for (const messages of requests(records)) {
        try {
          await producer.send({ topic, acks: -1, messages });
        } catch (error) {
          throw kafkaError(`producing to ${topic}`, config.brokers, error);
        }
      }
    },
  };
}

type Message = ReturnType<typeof toMessage>;

function* requests(records: readonly OutgoingRecord[]): Generator<Message[]> {
  let messages: Message[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = sizeOf(record);
    if (messages.length > 0 && bytes + size > REQUEST_BYTES) {
      yield messages;
      messages = [];
      bytes = 0;
    }
    messages.push(toMessage(record));
    bytes += size;
  }
  if (messages.length > 0) yield messages;
}

function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (value?.length ?? 0) + (key === null ? 0 : Buffer.byteLength(key));
  for (const name in headers) bytes += name.length + Buffer.byteLength(headers[name] ?? '');
  return bytes;
}

function toMessage({ key, value, headers, partition, timestamp }: OutgoingRecord) {
  return {
    key,
    value,
    ...(headers !== undefined && { headers: { ...headers } }),
    ...(partition !== undefined && { partition }),
    ...(timestamp !== undefined && { timestamp: String(timestamp) }),
  };
}
