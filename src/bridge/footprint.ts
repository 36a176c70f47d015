/**
 * How much memory a batch will take: by the length of its jobs' text and what a job takes besides, corrected by what
 * Redis said after earlier batches. Never below the plain estimate: workers that delete meanwhile make a batch look small.
 */

/** What a waiting BullMQ job takes beside its data: hash, options, list entry, two events, ledger. Measured: 825; 580 on a lean queue. */
const JOB_OVERHEAD_BYTES = 850;
/** A batch of fewer jobs says little: tables grow in steps. */
const TELLING_JOBS = 100;
const WEIGHT = 0.1;
const MOST = 3;

export class Footprint {
  #factor = 1;
  #bytesPerJob = 0;

  /** Measured memory of one job; 0 before the first telling batch. */
  get bytesPerJob(): number {
    return this.#bytesPerJob;
  }

  expected(textBytes: number, jobs: number): number {
    return estimate(textBytes, jobs) * this.#factor;
  }

  /** `grownBytes`: used memory after the batch minus used memory before it. */
  learn(grownBytes: number, textBytes: number, jobs: number): void {
    if (jobs < TELLING_JOBS || grownBytes <= 0) return;
    const ratio = Math.min(MOST, grownBytes / estimate(textBytes, jobs));
    this.#factor = Math.max(1, this.#factor + WEIGHT * (ratio - this.#factor));
    this.#bytesPerJob =
      this.#bytesPerJob === 0
        ? grownBytes / jobs
        : this.#bytesPerJob + WEIGHT * (grownBytes / jobs - this.#bytesPerJob);
  }
}

function estimate(textBytes: number, jobs: number): number {
  return textBytes + jobs * JOB_OVERHEAD_BYTES;
}
