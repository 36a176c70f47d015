/**
 * A worker of a Sidekiq class: what Ruby enqueued, or what came from Kafka for it. The job itself says how often it is
 * tried again, as it does for Ruby.
 */
import type { Backoff } from '../backoff.ts';
import { DEFAULT_BACKOFF } from '../job/place.ts';
import { SIDEKIQ_QUEUE_NAME } from '../job/sidekiq-fields.ts';
import { DEFAULT_SIDEKIQ_QUEUE, RUBY_CLASS } from '../job/sidekiq-job.ts';
import { branded, DEFAULT_TIMEOUT_MS } from './define.ts';
import { requireMessageName, requireOptions, requireRun, requireText, requireTimes, wrong } from './option-checks.ts';
import type { Outcome, WorkerContext } from './worker.ts';

const OPTIONS = ['sidekiq', 'queue', 'arguments', 'backoff', 'timeoutMs', 'run'];

/**
 * How a job's arguments are the message: `json`: one object, its proto3 JSON; `base64`: one text, its binary form;
 * `fields`: the first argument is the field with the lowest number, and so on.
 */
export const ARGUMENT_FORMS = ['json', 'base64', 'fields'] as const;
export type ArgumentForm = (typeof ARGUMENT_FORMS)[number];

export interface SidekiqWorkerOptions<T> {
  /** The Ruby class, or the ActiveJob class that a wrapper carries: `HardJob`, `Billing::ChargeJob`. */
  readonly sidekiq: string;
  /** Queue that is served. A job of the class is run from any queue that is served. Default: `default`. */
  readonly queue?: string;
  /** Only with a message. Default: what the arguments look like. */
  readonly arguments?: ArgumentForm;
  /** Default: Sidekiq's own waits, from 15 seconds to 20 days. */
  readonly backoff?: Partial<Backoff>;
  /** One attempt may take this long. Default: 60 s. */
  readonly timeoutMs?: number;
  run(message: T, ctx: WorkerContext): Promise<Outcome | void> | Outcome | void;
}

/** A worker with every default filled in. */
export interface SidekiqWorkerDefinition<T = unknown> {
  /** Without leading colons. */
  readonly sidekiq: string;
  /** Undefined: `run` gets the list of arguments. */
  readonly message: string | undefined;
  readonly queue: string;
  readonly arguments: ArgumentForm | undefined;
  readonly backoff: Backoff | undefined;
  readonly timeoutMs: number;
  run(message: T, ctx: WorkerContext): Promise<Outcome | void> | Outcome | void;
}

export function defineSidekiqWorker<T>(
  message: string | undefined,
  options: SidekiqWorkerOptions<T>,
): SidekiqWorkerDefinition<T> {
  check(message, options);
  const { queue = DEFAULT_SIDEKIQ_QUEUE, backoff, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  return branded({
    sidekiq: options.sidekiq.replace(/^::/, ''),
    message,
    queue,
    arguments: options.arguments,
    backoff: backoff && { ...DEFAULT_BACKOFF, ...backoff },
    timeoutMs,
    run: (payload, ctx) => options.run(payload, ctx),
  });
}

function check<T>(message: string | undefined, options: SidekiqWorkerOptions<T>): void {
  if (message !== undefined) requireMessageName(message);
  const worker = message ?? String(Reflect.get(Object(options), 'sidekiq'));
  requireOptions(worker, options, OPTIONS);
  const { sidekiq, queue, arguments: form, run } = options;
  requireText(
    worker,
    'sidekiq',
    sidekiq,
    RUBY_CLASS,
    "the name of a Ruby class, such as 'HardJob' or 'Billing::Charge'",
  );
  requireRun(worker, run, message === undefined ? 'args' : 'message');
  if (queue !== undefined) {
    const allowed = "a name of letters, digits, '_', '-', '.' and ':'";
    requireText(worker, 'queue', queue, SIDEKIQ_QUEUE_NAME, allowed);
  }
  checkForm(worker, message, form);
  requireTimes(worker, options);
}

function checkForm(worker: string, message: string | undefined, form: unknown): void {
  if (form === undefined) return;
  if (message === undefined) throw wrong(worker, 'arguments', form, 'nothing where the worker has no message');
  const isKnown = ARGUMENT_FORMS.some((each) => each === form);
  if (!isKnown) throw wrong(worker, 'arguments', form, ARGUMENT_FORMS.map((each) => `'${each}'`).join(', '));
}
