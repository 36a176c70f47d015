/** Finds the worker of a job that is named by its message type, and reads the message strictly. */
import type { WorkersOf } from '../definition/discover.ts';
import type { Outcome, WorkerDefinition } from '../definition/worker.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { AttemptContext, Runnable, TakenJob } from './attempt.ts';

export function byMessage(workers: WorkersOf<WorkerDefinition>, schemas: Schemas): AttemptContext['find'] {
  function runnable(definition: WorkerDefinition): Runnable {
    const { message, timeoutMs } = definition;
    return {
      label: message,
      timeoutMs,
      read: ({ data }) => schemas.codec(message).fromJson(data),
      run: (payload, ctx) => definition.run(payload, ctx),
    };
  }

  function unknown({ name }: TakenJob): Outcome {
    const known = workers.all().map(({ definition }) => definition.message);
    return { kind: 'dead', reason: `no worker runs ${name}; known: ${known.join(', ') || 'none'}` };
  }

  return (job) => {
    const definition = workers.get(job.name);
    return definition === undefined ? unknown(job) : runnable(definition);
  };
}
