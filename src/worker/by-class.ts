/** Finds the worker of a job that is named by its Ruby class, and reads its arguments as that worker takes them. */
import type { WorkersOf } from '../definition/discover.ts';
import type { SidekiqWorkerDefinition } from '../definition/sidekiq-worker.ts';
import type { Outcome } from '../definition/worker.ts';
import { SluiceError } from '../errors.ts';
import type { Schemas } from '../schema/schemas.ts';
import { messageFrom } from './arguments.ts';
import type { AttemptContext, Runnable } from './attempt.ts';

/** What Ruby raises for a class that it does not know. */
class NameError extends Error {
  override readonly name = 'NameError';
}

/** Ruby tries a class that is unknown again, and so do we: the next deploy may bring it. */
export function byClass(workers: WorkersOf<SidekiqWorkerDefinition>, schemas: Schemas): AttemptContext['find'] {
  function unknown(name: string): Outcome {
    const known = workers.all().map(({ definition }) => definition.sidekiq);
    const error = new NameError(
      `uninitialized constant ${name}; no worker runs it; known: ${known.join(', ') || 'none'}`,
    );
    return { kind: 'retry', reason: error.message, cause: error };
  }

  return ({ name }) => {
    const definition = workers.get(name);
    return definition === undefined ? unknown(name) : runnable(definition, schemas);
  };
}

function runnable(definition: SidekiqWorkerDefinition, schemas: Schemas): Runnable {
  const { sidekiq, message, timeoutMs, arguments: form } = definition;
  return {
    label: sidekiq,
    timeoutMs,
    read({ data }) {
      if (data === undefined) throw new SluiceError('INVALID_MESSAGE', 'args: not a list; allowed: a list');
      const args = data as readonly unknown[];
      return message === undefined ? args : messageFrom(args, schemas.codec(message), form);
    },
    run: (payload, ctx) => definition.run(payload, ctx),
  };
}
