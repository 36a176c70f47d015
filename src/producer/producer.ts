/**
 * Produces events, to Kafka or straight to a queue, by the same calls with the same checks; the worker sees the same
 * job. `send` resolves when the event is durable where it went. Nothing is sent when anything of a call is invalid;
 * what is away for longer than the client's tries is UNREACHABLE, and whether the event arrived is then unknown, unless
 * the error says `isUnsent`.
 */
import { randomUUID } from 'node:crypto';
import type { Event } from '../job/job.ts';
import { type Log, silentLog } from '../log.ts';
import { loadSchemas } from '../schema/load.ts';
import type { Schemas } from '../schema/schemas.ts';
import { checkOptions, type EventOptions, named } from './options.ts';
import { type ProducerSettings, type Settings, type SidekiqSettings, settle } from './settings.ts';
import { createSidekiqProducer, type SidekiqProducer } from './sidekiq.ts';
import { type Transport, whenNeeded } from './transport.ts';

export interface OutgoingEvent extends EventOptions {
  readonly type: string;
  /** The TypeScript form of the message, or proto3 JSON. */
  readonly message: unknown;
}

export interface Producer {
  send(type: string, message: unknown, options?: EventOptions): Promise<void>;
  /** Either every event is acked, or the call rejects. */
  sendMany(events: readonly OutgoingEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** An event that has passed its checks, with what each way needs of it. */
export interface CheckedEvent {
  readonly event: Event;
  readonly payload: () => Uint8Array;
  readonly topic: string | undefined;
}

export function createProducer(settings: SidekiqSettings, log?: Log): SidekiqProducer;
export function createProducer(settings?: ProducerSettings, log?: Log): Producer;
export function createProducer(
  settings: ProducerSettings | SidekiqSettings = {},
  log: Log = silentLog,
): Producer | SidekiqProducer {
  return settings.target === 'sidekiq' ? createSidekiqProducer(settings, log) : createEventProducer(settings, log);
}

function createEventProducer(settings: ProducerSettings, log: Log): Producer {
  const resolved = settle(settings);
  const schemas = settings.schemas ?? loadSchemas(resolved.proto);
  const transport = whenNeeded(() => open(resolved, schemas, log));
  return {
    async send(type, message, options = {}) {
      await transport.send([checkEvent({ ...options, type, message }, schemas, Date.now())]);
    },

    async sendMany(events) {
      const now = Date.now();
      const nameOf = (i: number) => (events.length === 1 ? '' : `events[${i}]: `);
      await transport.send(events.map((each, i) => named(nameOf(i), () => checkEvent(each, schemas, now))));
    },

    close: () => transport.close(),
  };
}

async function open(settings: Settings, schemas: Schemas, log: Log): Promise<Transport<CheckedEvent>> {
  if (settings.via === 'kafka') return (await import('./to-kafka.ts')).openKafka(settings, log);
  return (await import('./to-redis.ts')).openRedis(settings, schemas, log);
}

/** Throws INVALID_MESSAGE or SCHEMA. */
export function checkEvent({ type, message, ...options }: OutgoingEvent, schemas: Schemas, now: number): CheckedEvent {
  checkOptions(options);
  const codec = schemas.codec(type);
  const json = codec.toJson(message);
  const { key, id = randomUUID(), queue, attempts, priority, headers, topic } = options;
  const runAt = runAtOf(options, now);
  const event: Event = {
    type,
    json: JSON.stringify(json),
    id,
    key,
    queue,
    attempts,
    priority,
    headers,
    runAt,
    createdAt: now,
  };
  return { event, payload: () => codec.encode(json), topic };
}

function runAtOf({ delayMs, runAt }: EventOptions, now: number): number | undefined {
  if (delayMs !== undefined) return now + delayMs;
  return runAt instanceof Date ? runAt.getTime() : runAt;
}
