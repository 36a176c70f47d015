/** The KafkaJS client as Sluice wants it, for consumer, producer and admin alike: short waits, and one log line a change of state. */

import type { SASLOptions } from 'kafkajs';
import kafkajs, {
  type Admin,
  type KafkaConfig as ClientConfig,
  type Consumer,
  type Kafka,
  type Producer,
} from 'kafkajs';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { KafkaConfig } from './config.ts';
import { watchReachability } from './reachability.ts';

type Make<T> = (kafka: Kafka) => T;

/** `make` takes the client that is wanted of a Kafka. */
export function createClient<T extends Consumer | Producer | Admin>(config: KafkaConfig, log: Log, make: Make<T>): T {
  silenceTimeoutWarning();
  const reachability = watchReachability(config, log);
  const options: ClientConfig = {
    clientId: config.clientId,
    brokers: config.brokers,
    ssl: config.ssl,
    connectionTimeout: 3_000,
    requestTimeout: 30_000,
    retry: { initialRetryTime: 200, maxRetryTime: 2_000, retries: 5 },
    logCreator: () => reachability.hear,
  };
  if (config.sasl !== undefined) options.sasl = config.sasl as SASLOptions;
  const client = make(new kafkajs.Kafka(options));
  const on = client.on as (event: string, listener: (event: { payload: { broker: string } }) => void) => unknown;
  on(client.events.REQUEST, ({ payload }) => reachability.answered(payload.broker));
  return client;
}

/**
 * KafkaJS computes a timeout from a moment that has passed, and Node prints a TimeoutNegativeWarning for each
 * (kafkajs#1751). It does no harm, and the client is the only one here to do so; all other warnings stay.
 */
export function silenceTimeoutWarning(): void {
  const original = process.emitWarning as (warning: string | Error, ...rest: unknown[]) => void;
  if (Reflect.get(process.emitWarning, SILENCED) === true) return;
  const filtered = (warning: string | Error, ...rest: unknown[]) => {
    const [kind] = rest;
    const name = warning instanceof Error ? warning.name : typeof kind === 'string' ? kind : undefined;
    if (name !== 'TimeoutNegativeWarning') original.call(process, warning, ...rest);
  };
  process.emitWarning = Object.assign(filtered, { [SILENCED]: true }) as typeof process.emitWarning;
}
const SILENCED = Symbol('sluice.silenced');

/** An error of the client in Sluice's terms. `what` says what was tried. */
export function kafkaError(what: string, brokers: readonly string[], error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const type = errorType(error);
  if (DISOWNED.has(type)) {
    return new SluiceError('DISOWNED', `${what}: somebody else has taken over (${type})`, { cause: error });
  }
  if (type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE') {
    return new SluiceError('UNFIT', `${what}: larger than the topic's max.message.bytes allows`, { cause: error });
  }
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    const where = `Kafka at ${brokers.join(', ')}`;
    const remedy = 'a bridge makes the topics that it consumes when it starts; make others yourself';
    return new SluiceError('UNFIT', `${what}: ${where} has no such topic; ${remedy}`, { cause: error, isUnsent: true });
  }
  return new SluiceError('UNREACHABLE', `${what}: Kafka at ${brokers.join(', ')}: ${messageOf(error)}`, {
    cause: error,
  });
}

/** The protocol's name of an error, also of the one that was tried to the end. */
export function errorType(error: unknown): string {
  const type: unknown =
    Reflect.get(Object(error), 'type') ?? Reflect.get(Object(Reflect.get(Object(error), 'cause')), 'type');
  return typeof type === 'string' ? type : '';
}

const DISOWNED = new Set([
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
]);

/** Whether KafkaJS threw it, such as from a heartbeat when the group rebalances. */
export function isClientError(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}
