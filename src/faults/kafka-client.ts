/** The kit's own Kafka client: nothing of what Sluice makes of its own is between it and Kafka. */
import kafkajs from 'kafkajs';
import { systemClock } from '../clock.ts';
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

const LED_WITHIN_MS = 15_000;
const LOOK_MS = 100;

/**
 * Makes topics and waits until each has its leaders; false when one of them exists. The client's own waiting ends with an
 * error while a broker has not heard of a topic yet, which a broker that has just started hears of late.
 */
export async function makeTopics(admin: kafkajs.Admin, topics: kafkajs.ITopicConfig[]): Promise<boolean> {
  if (!(await admin.createTopics({ waitForLeaders: false, topics }))) return false;
  const names = topics.map(({ topic }) => topic);
  const deadline = performance.now() + LED_WITHIN_MS;
  for (;;) {
    try {
      for (const name of names) await admin.fetchTopicOffsets(name);
      return true;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await systemClock.sleep(LOOK_MS);
    }
  }
}
