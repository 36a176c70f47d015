/**
 * Time that passes only when nothing else is left to do: minutes of a world take milliseconds, and one seed gives one order
 * of events. While a life goes on, timers, `Date.now`, `performance.now` and `Math.random` are of that time, those of KafkaJS included.
 * Rejects when no timer is left before the life has ended: then nothing could ever happen again.
 */

const START = Date.UTC(2026, 0, 1);

class Timer {
  isCancelled = false;
  readonly at: number;
  readonly call: () => void;

  constructor(at: number, call: () => void) {
    this.at = at;
    this.call = call;
  }

  /** No process waits for it. */
  unref(): this {
    return this;
  }
}

class Agenda {
  now = START;
  /** The next one last. */
  readonly #timers: Timer[] = [];

  /** Node's shortest wait is a millisecond. */
  add(call: () => void, ms: number): Timer {
    const timer = new Timer(this.now + Math.max(1, ms), call);
    this.#timers.splice(this.#placeOf(timer.at), 0, timer);
    return timer;
  }

  next(): Timer | undefined {
    let timer = this.#timers.pop();
    while (timer?.isCancelled) timer = this.#timers.pop();
    return timer;
  }

  /** Those of one moment come in the order in which they were added. */
  #placeOf(at: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle] as Timer).at > at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export async function inVirtualTime<T>(life: () => Promise<T>): Promise<T> {
  const agenda = new Agenda();
  const putBack = replaceGlobals(agenda);
  let isOver = false;
  try {
    const lived = life().finally(() => {
      isOver = true;
    });
    for (await quiet(); !isOver; await quiet()) step(agenda);
    return await lived;
  } finally {
    putBack();
  }
}

function step(agenda: Agenda): void {
  const timer = agenda.next();
  if (timer === undefined) throw new Error('nothing can happen any more');
  agenda.now = timer.at;
  timer.call();
}

/** Resolves when every promise that could go on has gone on. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function replaceGlobals(agenda: Agenda): () => void {
  const { setTimeout, clearTimeout } = globalThis;
  const { now } = Date;
  const { now: passed } = performance;
  const { random } = Math;
  const later = (call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => agenda.add(() => call(...args), ms);
  const cancel = (timer: unknown) => {
    if (timer instanceof Timer) timer.isCancelled = true;
  };
  Object.assign(globalThis, { setTimeout: later, clearTimeout: cancel });
  Date.now = () => agenda.now;
  performance.now = () => agenda.now;
  // KafkaJS varies its waits by it; whoever else in the process asked for a number would change them.
  Math.random = () => 0.5;
  return () => {
    Object.assign(globalThis, { setTimeout, clearTimeout });
    Date.now = now;
    performance.now = passed;
    Math.random = random;
  };
}
