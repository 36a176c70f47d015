/**
 * A job that a host has taken, as Redis's hash tells it. What most jobs need is read at once; BullMQ's `Job`, which knows how
 * to fail, to be delayed and to be given back, is made for those that need it.
 */
import { type Job, type JobJson, raw2NextJobData } from 'bullmq';
import { messageOf } from '../../errors.ts';
import type { TakenRaw } from '../../queue/bullmq/source.ts';

type MakeJob = (json: JobJson, id: string) => Job;

export class HeldJob {
  readonly id: string;
  readonly token: string;
  /** When it was taken, in milliseconds since the epoch, by Redis's clock. */
  readonly processedOn: number;
  readonly name: string;
  /** Parsed JSON; undefined where it is none. */
  readonly data: unknown;
  /** As stored: names that BullMQ shortens are short. */
  readonly opts: Readonly<Record<string, unknown>>;
  readonly timestamp: number;
  readonly attemptsMade: number;
  readonly attemptsStarted: number;
  readonly stalledCounter: number;
  /** It failed while nobody ran it: BullMQ's own reason, or data that cannot be read. */
  readonly deferredFailure: string | undefined;
  /** It is made by a job scheduler, whose next job has to be made when it is taken. */
  readonly isRepeated: boolean;
  readonly #raw: TakenRaw['raw'];
  readonly #isReadable: boolean;
  readonly #make: MakeJob;
  #job: Job | undefined;

  constructor({ id, raw }: TakenRaw, token: string, processedOn: number, make: MakeJob) {
    const fields = fieldsOf(raw);
    this.id = id;
    this.token = token;
    this.processedOn = processedOn;
    this.name = fields.name as string;
    const data = parsed(fields.data);
    this.data = data.value;
    this.opts = optionsIn(fields.opts);
    this.timestamp = Number(fields.timestamp);
    this.attemptsMade = Number(fields.atm ?? 0);
    this.attemptsStarted = Number(fields.ats ?? 0);
    this.stalledCounter = Number(fields.stc ?? 0);
    this.deferredFailure = fields.defa ?? data.problem;
    this.isRepeated = fields.rjk !== undefined;
    this.#raw = raw;
    this.#isReadable = data.problem === undefined;
    this.#make = make;
  }

  /** Always the same. */
  get job(): Job {
    if (this.#job === undefined) {
      this.#job = this.#make(this.json, this.id);
      this.#job.token = this.token;
      this.#job.processedOn = this.processedOn;
    }
    return this.#job;
  }

  get json(): JobJson {
    const raw = this.#isReadable ? this.#raw : [...this.#raw, 'data', '{}'];
    return raw2NextJobData([raw, this.id, 0, 0])[0] as JobJson;
  }
}

function fieldsOf(raw: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i < raw.length; i += 2) fields[raw[i] as string] = raw[i + 1] as string;
  return fields;
}

function parsed(text: string | undefined): { value: unknown; problem?: string } {
  try {
    return { value: JSON.parse(text || '{}') };
  } catch (error) {
    return { value: undefined, problem: `the job's data is not JSON: ${messageOf(error)}` };
  }
}

function optionsIn(text: string | undefined): Record<string, unknown> {
  const { value } = parsed(text);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
