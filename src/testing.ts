/**
 * The entry `sluice/testing`: runs a worker as the host would, on a message that makes the whole way round (checked,
 * into the envelope's bytes, back to the JSON of a queue, read against the schema), without Kafka and without Redis. The
 * worker of a Sidekiq class gets what it would find in a job's arguments.
 */
import { systemClock } from './clock.ts';
import { isOfSidekiq, workerSet } from './definition/discover.ts';
import type { SidekiqWorkerDefinition } from './definition/sidekiq-worker.ts';
import type { Outcome, TrackerFields, WorkerDefinition } from './definition/worker.ts';
import type { JobAbout } from './job/job.ts';
import { parseExactly } from './job/json-values.ts';
import { valueText } from './job/sidekiq-values.ts';
import { silentLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { decodeEnvelope, encodeEnvelope } from './schema/envelope.ts';
import { loadSchemas } from './schema/load.ts';
import type { Schemas } from './schema/schemas.ts';
import { argumentsFrom } from './worker/arguments.ts';
import { attempt, type TakenJob } from './worker/attempt.ts';
import { byClass } from './worker/by-class.ts';
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
 * Runs one attempt. The payload is a partial message or proto3 JSON, or the list of arguments of a worker that has no
 * message; one that does not fit throws SluiceError INVALID_MESSAGE, as a producer would.
 */
export async function perform<T>(
  worker: WorkerDefinition<T> | SidekiqWorkerDefinition<T>,
  payload: Partial<T>,
  options: PerformOptions = {},
): Promise<Performed> {
  const schemas = loadSchemas(options.proto ?? ['proto', 'workers']);
  const collected: TrackerFields[] = [];
  const definition = worker as WorkerDefinition | SidekiqWorkerDefinition;
  const workers = workerSet([{ file: '', definition }]);
  const { job, find } = isOfSidekiq(definition)
    ? { job: sidekiqJob(definition, payload, options, schemas), find: byClass(workers.sidekiq, schemas) }
    : { job: messageJob(definition, payload, options, schemas), find: byMessage(workers, schemas) };
  const outcome = await attempt(job, options.signal ?? new AbortController().signal, {
    find,
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

function messageJob(
  { message: type, queue }: WorkerDefinition,
  payload: unknown,
  { key, id, headers, attempt = 1 }: PerformOptions,
  schemas: Schemas,
): TakenJob {
  const sent = encodeEnvelope({ type, payload: schemas.codec(type).encode(payload), key, id, headers });
  const received = decodeEnvelope(Buffer.from(sent));
  const data: unknown = JSON.parse(schemas.codec(received.type).decodeToJson(received.payload).json);
  return { id: 'test', queue, name: received.type, data, about: aboutOf(received), attempt };
}

/** By way of the JSON of a job, where a number is what Ruby would have written. */
function sidekiqJob(
  { sidekiq, message, queue, arguments: form }: SidekiqWorkerDefinition,
  payload: unknown,
  { attempt = 1, ...about }: PerformOptions,
  schemas: Schemas,
): TakenJob {
  const args = message === undefined ? payload : argumentsFrom(payload, schemas.codec(message), form);
  const data = parseExactly(valueText(args, 'args'));
  return { id: 'test', queue, name: sidekiq, data, about: aboutOf(about), attempt };
}

function aboutOf({ key, id, headers }: { [Name in keyof JobAbout]: JobAbout[Name] | undefined }): JobAbout {
  return {
    ...(key !== undefined && { key }),
    ...(id !== undefined && { id }),
    ...(headers !== undefined && { headers }),
  };
}
