/** Whether topics, messages and workers belong together: every record has a type, every event a queue, every worker its feed. */
import type { WorkerSet } from '../definition/discover.ts';
import { messageOf } from '../errors.ts';
import type { Schemas } from '../schema/schemas.ts';
import { written } from './config/paths.ts';
import { type Config, DEFAULT_TOPIC } from './config/schema.ts';

/** Topics whose every event would become a dead letter, because nobody says which queue it goes to. */
export function topicsWithoutTakers({ topics }: Config, workers: WorkerSet): string[] {
  if (workers.all().length + workers.sidekiq.all().length > 0) return [];
  return Object.entries(topics).flatMap(([name, { target, queue }]) =>
    target === 'bullmq' && queue === undefined ? [name] : [],
  );
}

export function noWorkers({ workers }: Config, topics: readonly string[]): string {
  const them = topics.join(', ');
  return `${workers}: no workers there; events of ${them} that name no queue would all become dead letters. Name the folder by --workers, or give the topic a queue`;
}

/** Says which topics' records would all become dead letters, because no .proto file defines their message. */
export function unknownMessages({ topics }: Config, schemas: Schemas): string | undefined {
  const problems = Object.entries(topics).flatMap(([name, { message }]) => {
    const problem = message === undefined ? undefined : problemOf(message, schemas);
    return problem === undefined ? [] : [`${written(['topics', name, 'message'])}: ${problem}`];
  });
  return problems.length > 0 ? problems.join('\n') : undefined;
}

function problemOf(message: string, schemas: Schemas): string | undefined {
  try {
    schemas.codec(message);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Says which workers no topic feeds, such as when naming a topic has put the default one out of use. */
export function unfedWorkers({ topics }: Config, workers: WorkerSet): string | undefined {
  const consumed = Object.values(topics).filter(({ target }) => target === 'bullmq');
  if (consumed.some(({ record }) => record === 'envelope')) return undefined;
  const fed = new Set(consumed.map(({ message }) => message));
  const unfed = workers.all().flatMap(({ definition: { message } }) => (fed.has(message) ? [] : [message]));
  if (unfed.length === 0) return undefined;
  const names = Object.keys(topics).join(', ');
  return (
    `no topic feeds the worker${unfed.length > 1 ? 's' : ''} of ${unfed.join(', ')}: only ${names} is consumed. ` +
    `Once topics are named, ${DEFAULT_TOPIC} is consumed only if it is named too: topics: { '${DEFAULT_TOPIC}': {}, ... }`
  );
}
