/** Finds the worker of a job that is named by its message type, and reads the message strictly. */
import type { WorkersOf } from '../definition/discover.ts';
import type { Outcome, WorkerDefinition } from '../definition/worker.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { AttemptContext, Runnable, TakenJob } from './attempt.ts';
import { createGathering } from './gathering.ts';

/** `isFull`: no other job can come before one ends, so that a batch need not wait for more. */
export function byMessage(
  workers: WorkersOf<WorkerDefinition>,
  schemas: Schemas,
  isFull: () => boolean = () => true,
): AttemptContext['find'] {
  const known = new Map<WorkerDefinition, Runnable>();

  function runnable(definition: WorkerDefinition): Runnable {
    const { message, timeoutMs, batch } = definition;
    const codec = schemas.codec(message);
    return {
      label: message,
      timeoutMs,
      read: ({ data }) => codec.fromJson(data),
      run: batch === undefined ? (payload, ctx) => definition.run(payload, ctx) : createGathering(batch, isFull),
    };
  }

  function runnableOf(definition: WorkerDefinition): Runnable {
    const made = known.get(definition) ?? runnable(definition);
    known.set(definition, made);
    return made;
  }

  function unknown({ name }: TakenJob): Outcome {
    const messages = workers.all().map(({ definition }) => definition.message);
    return { kind: 'dead', reason: `no worker runs ${name}; known: ${messages.join(', ') || 'none'}` };
  }

  return (job) => {
    const definition = workers.get(job.name);
    return definition === undefined ? unknown(job) : runnableOf(definition);
  };
}
