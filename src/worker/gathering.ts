/**
 * Jobs of one worker that run at the same time, gathered into batches. To the attempt each is a run of its own: what becomes
 * of the batch becomes of each, by its own outcome. One that was let go while it was gathered is left out.
 */
import { batchContext, outcomeAt } from '../definition/batch.ts';
import type { BatchDefinition, Outcome, WorkerContext } from '../definition/worker.ts';

interface Gathered {
  readonly message: unknown;
  readonly ctx: WorkerContext;
  readonly isOver: () => boolean;
  readonly ended: PromiseWithResolvers<Outcome | void>;
}

export type Gathering = (message: unknown, ctx: WorkerContext, isOver: () => boolean) => Promise<Outcome | void>;

/** `isFull`: no other job can come before one ends. */
export function createGathering(definition: BatchDefinition, isFull: () => boolean): Gathering {
  const { most, waitMs } = definition;
  let gathered: Gathered[] = [];
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = gathered.filter(({ isOver }) => !isOver());
    gathered = [];
    if (batch.length > 0) void run(definition, batch);
  }

  return (message, ctx, isOver) => {
    const ended = Promise.withResolvers<Outcome | void>();
    gathered.push({ message, ctx, isOver, ended });
    if (gathered.length >= most || isFull()) start();
    else timer ??= setTimeout(start, waitMs);
    return ended.promise;
  };
}

async function run(definition: BatchDefinition, batch: readonly Gathered[]): Promise<void> {
  try {
    const messages = batch.map(({ message }) => message);
    const result = await definition.run(messages, batchContext(batch.map(({ ctx }) => ctx)));
    const outcomes = batch.map((_, i) => outcomeAt(result, i, batch.length));
    for (const [i, { ended }] of batch.entries()) ended.resolve(outcomes[i]);
  } catch (error) {
    for (const { ended } of batch) ended.reject(error);
  }
}
