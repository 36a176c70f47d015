/**
 * A simulated Redis behind the bridge's port: one connection, on which scripts run in the order in which they were sent. A
 * request or its reply may be lost, a script may run after its caller has given up, all of it may be away or full.
 */
import { type Clock, systemClock } from '../../src/clock.ts';
import { SluiceError } from '../../src/errors.ts';
import { offsetsOf } from '../../src/queue/jobs.ts';
import type { Batch, BullSink, Claim, Enqueued, Fenced, Refused, Sinks } from '../../src/queue/sink.ts';
import type { Faults } from './faults.ts';
import type { History } from './history.ts';
import { Ledgers, type LedgersOptions } from './ledgers.ts';

const SCRIPT_MS = 80;
const SLOW_SCRIPT_MS = 2_500;
const REPLY_MS = 10;
const SOON_MS = 100;
const GIVE_UP_MS = 2_000;
const AWAY_MS = 1_000;
const MAX_BYTES = 1_073_741_824;

export interface RedisOptions extends LedgersOptions {
  readonly faults: Faults;
  readonly history: History;
}

export class SimulatedRedis {
  readonly ledgers: Ledgers;
  calls = 0;
  readonly #options: RedisOptions;
  readonly #clock: Clock = systemClock;
  #last: Promise<unknown> = Promise.resolve();
  #awayUntil = 0;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.ledgers = new Ledgers(options);
  }

  get name(): string {
    return this.#options.name;
  }

  goAway(): void {
    this.#awayUntil = this.#clock.now() + this.#options.chance.below(AWAY_MS);
  }

  get sinks(): Sinks {
    const { name, ledgers } = this;
    const bullmq: Partial<BullSink> = {
      isTracked: true,
      claim: (ledger, generation) => this.#told('claim', () => ledgers.claim(ledger, generation), ledger.partition),
      reconcile: (claim, finished) => this.#of(claim, 'reconcile', () => ledgers.reconcile(claim, finished)),
      enqueue: (claim, expected, batch) =>
        this.#of(claim, enqueueText(expected, batch), () => this.#enqueue(claim, expected, batch)),
      list: (claim, expected, from) => this.#call(() => ledgers.list(claim, expected, from)),
    };
    return { name, bullmq, memory: () => this.#memory() } as unknown as Sinks;
  }

  #enqueue(claim: Claim, expected: number, batch: Batch): Enqueued | Refused | Fenced {
    const { faults } = this.#options;
    if (offsetsOf(batch.jobs).length > 0 && faults.strikes('refusedQueue'))
      return { status: 'refused', enqueued: -1, queue: 'q', why: 'paused-by' } as Refused;
    const reply = this.ledgers.enqueue(claim, expected, batch);
    return reply.status === 'ok' ? { ...reply, usedBytes: this.#usedBytes() } : reply;
  }

  async #memory() {
    await this.#options.chance.within(SCRIPT_MS);
    this.#requireReachable();
    const reading = { usedBytes: this.#usedBytes(), maxBytes: MAX_BYTES, systemBytes: MAX_BYTES };
    return { ...reading, evictionPolicy: 'noeviction', version: '8.0.0' };
  }

  #usedBytes(): number {
    return this.#options.faults.strikes('fullRedis') ? MAX_BYTES : 0;
  }

  #of<T>({ token, ledger }: Claim, what: string, script: () => T): Promise<T> {
    return this.#told(`${what}, by ${token}`, script, ledger.partition);
  }

  /** Into the history when the script runs, which may be long after the call. */
  #told<T>(what: string, script: () => T, partition: number): Promise<T> {
    return this.#call(() => {
      const answer = script();
      const { name, history } = this.#options;
      history.tell(`Redis ${name}, partition ${partition}: ${what}: ${answerText(answer)}`, partition);
      return answer;
    });
  }

  async #call<T>(script: () => T): Promise<T> {
    const { chance, faults } = this.#options;
    this.calls += 1;
    if (faults.strikes('lostRequest')) return this.#fail(chance.oneOf([SOON_MS, GIVE_UP_MS]));
    const delayMs = chance.below(faults.strikes('slowScript') ? SLOW_SCRIPT_MS : SCRIPT_MS);
    const run = this.#last.then(() => this.#clock.sleep(delayMs)).then(script);
    this.#last = run;
    if (faults.strikes('lateScript')) return this.#fail(GIVE_UP_MS);
    const answer = await run;
    if (faults.strikes('lostReply')) return this.#fail(GIVE_UP_MS);
    await chance.within(REPLY_MS);
    this.#requireReachable();
    return answer;
  }

  async #fail(ms: number): Promise<never> {
    await this.#options.chance.within(ms);
    throw new SluiceError('UNREACHABLE', 'no answer');
  }

  #requireReachable(): void {
    if (this.#clock.now() < this.#awayUntil) throw new SluiceError('UNREACHABLE', 'away');
  }
}

function enqueueText(expected: number, { jobs, last }: Batch): string {
  const offsets = offsetsOf(jobs);
  const which = offsets.length === 0 ? 'no jobs' : `${offsets.length} jobs ${offsets[0]} to ${offsets.at(-1)}`;
  return `enqueue ${which}, expecting ${expected}, up to ${last}`;
}

function answerText(answer: unknown): string {
  const { status = 'ok', enqueued, token = '' } = answer as { status?: string; enqueued?: number; token?: string };
  return `${token === '' ? status : token}${enqueued === undefined ? '' : `, stands at ${enqueued}`}`;
}
