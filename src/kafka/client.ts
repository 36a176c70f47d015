/**
 * The KafkaJS client as Sluice wants it: short waits, so that seek, pause and disconnect act within a quarter of a
 * second, every compression, and one log line a change of state.
 */
import kafkajs, { type KafkaConfig as ClientConfig, type Kafka, type LogEntry, type SASLOptions } from 'kafkajs';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { registerCodecs } from './codecs.ts';
import type { KafkaConfig } from './config.ts';

/** Longest time that a fetch waits for records; it delays every control action. */
export const FETCH_WAIT_MS = 250;

export function createClient(config: KafkaConfig, log: Log): Kafka {
  registerCodecs();
  silenceTimeoutWarning();
  const options: ClientConfig = {
    clientId: config.clientId,
    brokers: config.brokers,
    ssl: config.ssl,
    connectionTimeout: 3_000,
    requestTimeout: 30_000,
    retry: { initialRetryTime: 200, maxRetryTime: 2_000, retries: 5 },
    logCreator: () => logTo(log),
  };
  if (config.sasl !== undefined) options.sasl = config.sasl as SASLOptions;
  return new kafkajs.Kafka(options);
}

/**
 * KafkaJS computes a timeout from a moment that has passed, and Node prints a TimeoutNegativeWarning for each
 * (kafkajs#1751). It does no harm, and the client is the only one here to do so; all other warnings stay.
 */
function silenceTimeoutWarning(): void {
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

/** KafkaJS reports each retry as an error; what matters of it is said by Sluice once, so it is kept for debugging. */
function logTo(log: Log): (entry: LogEntry) => void {
  return ({ namespace, log: { message, ...fields } }) => {
    const { error, broker, groupId } = fields;
    log.debug({ namespace, reason: error, broker, groupId, client: message }, 'kafka client');
  };
}

/** An error of the client in Sluice's terms. `what` says what was tried. */
export function kafkaError(what: string, brokers: readonly string[], error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const type: unknown = Reflect.get(Object(error), 'type');
  if (typeof type === 'string' && DISOWNED.has(type)) {
    return new SluiceError('DISOWNED', `${what}: the group has moved on (${type})`, { cause: error });
  }
  if (type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE') {
    return new SluiceError('UNFIT', `${what}: larger than the topic's max.message.bytes allows`, { cause: error });
  }
  return new SluiceError('UNREACHABLE', `${what}: Kafka at ${brokers.join(', ')}: ${messageOf(error)}`, {
    cause: error,
  });
}

const DISOWNED = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID']);
