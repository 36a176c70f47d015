/** The kit's own Kafka client: nothing of what Sluice makes of its own is between it and Kafka. */
import kafkajs from 'kafkajs';
import { silenceTimeoutWarning } from '../kafka/client.ts';

export interface KafkaAddress {
  readonly brokers: readonly string[];
  /** TLS and login, as the client takes them. */
  readonly ssl?: unknown;
  readonly sasl?: unknown;
}

/** `retries` bounds how long it asks while no broker answers. */
export function kafkaClient({ brokers, ssl, sasl }: KafkaAddress, retries: number): kafkajs.Kafka {
  silenceTimeoutWarning();
  return new kafkajs.Kafka({
    clientId: 'sluice-faults',
    brokers: [...brokers],
    ssl: ssl as never,
    sasl: sasl as never,
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries },
    logLevel: kafkajs.logLevel.NOTHING,
  });
}
