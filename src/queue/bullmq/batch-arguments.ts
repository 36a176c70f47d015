/**
 * A batch as the arguments of enqueue-bullmq.lua. What jobs have in common is told once: Redis reads, and Node writes, one
 * text for each argument.
 */
import type { Job } from '../../job/job.ts';
import { bullOptions } from '../../job/options.ts';
import { unpacked } from '../jobs.ts';
import type { Batch } from '../sink.ts';

type Arguments = (string | number)[];

export function batchArguments({ jobs }: Batch, queuePrefix: (queue: string) => string): Arguments {
  const treatments = new Treatments(queuePrefix);
  const runs: Arguments = [];
  let [head, treatment, next] = [0, 0, -1];
  for (const { offset, job } of unpacked(jobs)) {
    const number = treatments.numberOf(job);
    if (number !== treatment || offset !== next) {
      head = runs.push(number, offset, 0) - 1;
      treatment = number;
    }
    next = offset + 1;
    runs[head] = (runs[head] as number) + 1;
    runs.push(job.data, JSON.stringify(job.about), job.timestamp);
  }
  return [...treatments.arguments(), ...runs];
}

/** The queues of a batch and the treatments of its jobs, numbered from 1 as they appear. */
class Treatments {
  readonly #queuePrefix: (queue: string) => string;
  readonly #queues = new Map<string, number>();
  readonly #numbers = new Map<string, number>();
  readonly #told: Arguments = [];
  #last: Job | undefined;
  #lastNumber = 0;

  constructor(queuePrefix: (queue: string) => string) {
    this.#queuePrefix = queuePrefix;
  }

  /** Of the queue, the name and the options that a job has; neighbours mostly have the same. */
  numberOf(job: Job): number {
    if (this.#last === undefined || !isTreatedAlike(job, this.#last)) {
      this.#last = job;
      this.#lastNumber = this.#find(job);
    }
    return this.#lastNumber;
  }

  arguments(): Arguments {
    const queues = [...this.#queues.keys()].flatMap((queue) => [queue, this.#queuePrefix(queue)]);
    return [this.#queues.size, ...queues, this.#numbers.size, ...this.#told];
  }

  #find(job: Job): number {
    const text = [job.queue, job.name, job.attempts, job.backoff?.baseMs, job.delayMs, job.priority].join('\n');
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#numbers.size + 1);
    this.#told.push(this.#queueNumber(job.queue), job.name, optionsHead(job), ...ownFields(job));
    return this.#numbers.size;
  }

  #queueNumber(queue: string): number {
    const number = this.#queues.get(queue) ?? this.#queues.size + 1;
    this.#queues.set(queue, number);
    return number;
  }
}

function isTreatedAlike(one: Job, other: Job): boolean {
  return (
    one.queue === other.queue &&
    one.name === other.name &&
    one.attempts === other.attempts &&
    one.backoff === other.backoff &&
    one.delayMs === other.delayMs &&
    one.priority === other.priority
  );
}

/** Delay and priority as fields of the job's hash; '': it goes without one. */
function ownFields({ backoff, delayMs, priority }: Job): Arguments {
  return backoff === undefined ? [delayMs || '', priority || ''] : [delayMs, priority];
}

/** The options as JSON up to what is about the one job, which is their last member; `}` ends them behind it. */
function optionsHead(job: Job): string {
  const text = JSON.stringify(bullOptions({ ...job, about: {} }, true));
  return text.slice(0, -'{}}'.length);
}
