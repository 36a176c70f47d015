/** Whether topics and workers belong together: every event finds a queue, every worker is fed. */
import type { WorkerSet } from '../definition/discover.ts';
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
