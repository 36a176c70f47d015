/**
 * Tells of brokers that go away and come back: one log line a change, whichever client noticed it and however often
 * it tries. All else that KafkaJS logs is kept for debugging: it reports each retry as an error.
 */
import kafkajs, { type LogEntry } from 'kafkajs';
import type { Log } from '../log.ts';
import type { KafkaConfig } from './config.ts';

export interface Reachability {
  /** KafkaJS's logger. */
  readonly hear: (entry: LogEntry) => void;
  answered(broker: string): void;
}

/** Consumer, admin and producer of one configuration share what is known of its brokers. */
const awayBrokers = new WeakMap<KafkaConfig, Set<string>>();

export function watchReachability(config: KafkaConfig, log: Log): Reachability {
  const away = awayBrokers.get(config) ?? new Set<string>();
  awayBrokers.set(config, away);
  return {
    hear({ namespace, level, log: { message, ...fields } }) {
      const { broker, error, groupId } = fields as { broker?: string; error?: unknown; groupId?: string };
      const isFailure = namespace === 'Connection' && level === kafkajs.logLevel.ERROR && isConnectionFailure(message);
      if (isFailure && broker !== undefined && !away.has(broker)) {
        away.add(broker);
        log.warn({ broker, reason: message }, 'kafka broker is away; trying again');
        return;
      }
      log.debug({ namespace, reason: error, broker, groupId, client: message }, 'kafka client');
    },

    answered(broker) {
      if (away.delete(broker)) log.info({ broker }, 'kafka broker is back');
    },
  };
}

/** KafkaJS logs the refusals of a broker that answers by the same logger. */
function isConnectionFailure(message: string): boolean {
  return message.startsWith('Connection error') || message.startsWith('Connection timeout');
}
