/**
 * The entry `sluice/testing`: runs a worker as the host would, on a message that makes the whole way round (checked,
 * into the envelope's bytes, back to the JSON of a queue, read against the schema), without Kafka and without Redis.
 */
import { systemClock } from './clock.ts';
import { workerSet } from './definition/discover.ts';
import type { Outcome, TrackerFields, WorkerDefinition } from './definition/worker.ts';
import { silentLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { decodeEnvelope, encodeEnvelope } from './schema/envelope.ts';
import { loadSchemas } from './schema/load.ts';
import { attempt } from './worker/attempt.ts';
import { byMessage } from './worker/by-message.ts';

export interface PerformOptions {
  /** Folders of .proto files. Default: `proto` and `workers` of the working folder. */
  readonly proto?: readonly string[];
  readonly key?: string;
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** From 1. Default: 1. */
  readonly attempt?: number;
  /** Fires to stop the worker. */
  readonly signal?: AbortSignal;
}

export interface Performed {
  readonly outcome: Outcome;
  /** Events that the worker gave to the collector, in order; the collector accepts all. */
  readonly collected: readonly TrackerFields[];
}

/**
 * Runs one attempt. The payload is a partial message or proto3 JSON; one that does not fit its schema throws
 * SluiceError INVALID_MESSAGE, as a producer would.
 */
export async function perform<T>(
  worker: WorkerDefinition<T>,
  payload: Partial<T>,
  options: PerformOptions = {},
): Promise<Performed> {
  const schemas = loadSchemas(options.proto ?? ['proto', 'workers']);
  const collected: TrackerFields[] = [];
  const { message: type } = worker;
  const { key, id, headers } = options;
  const sent = encodeEnvelope({ type, payload: schemas.codec(type).encode(payload), key, id, headers });
  const received = decodeEnvelope(Buffer.from(sent));
  const data: unknown = JSON.parse(schemas.codec(received.type).decodeToJson(received.payload).json);
  const about = {
    ...(received.key !== undefined && { key: received.key }),
    ...(received.id !== undefined && { id: received.id }),
    ...(received.headers !== undefined && { headers: received.headers }),
  };
  const job = { id: 'test', queue: worker.queue, name: received.type, data, about, attempt: options.attempt ?? 1 };
  const outcome = await attempt(job, options.signal ?? new AbortController().signal, {
    find: byMessage(workerSet([{ file: '', definition: worker as WorkerDefinition }]), schemas),
    portFor: () => ({
      track: async (fields) => {
        collected.push(fields);
      },
    }),
    log: silentLog,
    metrics: createMetrics(),
    clock: systemClock,
  });
  return { outcome, collected };
}
