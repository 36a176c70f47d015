/** By Kafka: each event in an envelope, keyed, produced idempotently. */
import { createRecordProducer } from '../kafka/record-producer.ts';
import type { Log } from '../log.ts';
import { encodeEnvelope } from '../schema/envelope.ts';
import type { CheckedEvent } from './producer.ts';
import type { Settings } from './settings.ts';
import type { Transport } from './transport.ts';

export function openKafka({ kafka, topic: usual }: Settings, log: Log): Transport<CheckedEvent> {
  const producer = createRecordProducer(kafka, log);
  return {
    async send(events) {
      const byTopic = Map.groupBy(events, ({ topic }) => topic ?? usual);
      await Promise.all([...byTopic].map(([topic, of]) => producer.send(topic, of.map(record))));
    },
    close: () => producer.stop(5_000),
  };
}

function record({ event, payload }: CheckedEvent) {
  return { key: event.key || null, value: Buffer.from(encodeEnvelope({ ...event, payload: payload() })) };
}
