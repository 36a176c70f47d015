/**
 * The ledgers of one simulated Redis, and the scripts that act on them, each in one step. Stock workers do the jobs, most of
 * them soon. The fence is the model's, which is compared with Redis; the rest is written after the scripts.
 */
import { offsetsOf } from '../../src/queue/jobs.ts';
import type { Batch, Claim, Enqueued, Fenced, Listed, Range } from '../../src/queue/sink.ts';
import type { LedgerName } from '../../src/redis/keys.ts';
import { fence } from '../model/scripts.ts';
import type { Chance } from './chance.ts';
import type { Judge } from './judge.ts';
import type { PartitionLog } from './partition-log.ts';

const JOB_MS = 1_500;
const LONG_JOB_MS = 30_000;
const LONG_JOBS_SHARE = 0.05;

interface Ledger {
  owner: string;
  /** -1: nothing ever. */
  enqueued: number;
  reconciledIn: string;
  readonly unsettled: Set<number>;
  readonly created: Set<number>;
}

export interface LedgersOptions {
  /** Of the Redis. */
  readonly name: string;
  readonly logs: readonly PartitionLog[];
  readonly judge: Judge;
  readonly chance: Chance;
}

export class Ledgers {
  readonly #options: LedgersOptions;
  readonly #ledgers = new Map<number, Ledger>();
  #incarnation = 1;
  #tokens = 0;

  constructor(options: LedgersOptions) {
    this.#options = options;
  }

  flush(): void {
    this.#ledgers.clear();
  }

  restart(): void {
    this.#incarnation += 1;
  }

  /** Another bridge claims the ledger, and does nothing. */
  steal(partition: number): void {
    this.#of(partition).owner = 'another bridge';
  }

  claim(name: LedgerName, generation: number): Claim {
    const ledger = this.#of(name.partition);
    ledger.owner = `${this.#options.name}${++this.#tokens}`;
    const { owner: token, enqueued } = ledger;
    const isReconciled = ledger.reconciledIn === this.#present;
    return { ledger: name, generation, token, incarnation: this.#present, enqueued, isReconciled };
  }

  reconcile(claim: Claim, finished: readonly Range[]): { status: 'ok'; removed: number } | Fenced {
    const fenced = this.#fence(claim, claim.enqueued);
    if (fenced !== undefined) return fenced;
    const ledger = this.#of(claim.ledger.partition);
    const gone = [...ledger.unsettled].filter((offset) => finished.some((each) => isIn(each, offset)));
    for (const offset of gone) ledger.unsettled.delete(offset);
    ledger.reconciledIn = this.#present;
    return { status: 'ok', removed: gone.length };
  }

  enqueue(claim: Claim, expected: number, batch: Batch): Omit<Enqueued, 'usedBytes'> | Fenced {
    const fenced = this.#fence(claim, expected);
    if (fenced !== undefined) return fenced;
    const { partition } = claim.ledger;
    const ledger = this.#of(partition);
    this.#options.judge.enqueues(this.#options.name, partition, ledger, batch);
    const added = offsetsOf(batch.jobs).filter((offset) => offset > ledger.enqueued);
    for (const offset of added) this.#create(partition, ledger, offset);
    ledger.enqueued = Math.max(ledger.enqueued, batch.last);
    return { status: 'ok', enqueued: ledger.enqueued, created: added.length, existed: 0, depth: 0 };
  }

  list(claim: Claim, expected: number, from: number): Listed | Fenced {
    const { enqueued, unsettled } = this.#of(claim.ledger.partition);
    const reply: Listed = { status: 'ok', enqueued, from, end: enqueued + 1, unsettled: [...unsettled] };
    return this.#fence(claim, expected) ?? reply;
  }

  get #present(): string {
    return `incarnation ${this.#incarnation}`;
  }

  #of(partition: number): Ledger {
    const known = this.#ledgers.get(partition);
    if (known !== undefined) return known;
    const fresh = {
      owner: '',
      enqueued: -1,
      reconciledIn: '',
      unsettled: new Set<number>(),
      created: new Set<number>(),
    };
    this.#ledgers.set(partition, fresh);
    return fresh;
  }

  #fence({ ledger, token, incarnation }: Claim, expected: number): Fenced | undefined {
    const { owner, enqueued } = this.#of(ledger.partition);
    const status = fence(owner === token, incarnation === this.#present, enqueued, expected);
    return status === 'ok' ? undefined : { status, enqueued };
  }

  #create(partition: number, ledger: Ledger, offset: number): void {
    const { chance, logs } = this.#options;
    ledger.created.add(offset);
    ledger.unsettled.add(offset);
    const ms = chance.below(chance.happens(LONG_JOBS_SHARE) ? LONG_JOB_MS : JOB_MS);
    setTimeout(() => {
      // A flush has taken the job, or a reconciliation.
      if (this.#ledgers.get(partition) !== ledger || !ledger.unsettled.delete(offset)) return;
      const entry = logs[partition]?.at(offset);
      if (entry !== undefined) entry.isThrough = true;
    }, ms);
  }
}

function isIn({ start, end }: Range, offset: number): boolean {
  return start <= offset && offset < end;
}
