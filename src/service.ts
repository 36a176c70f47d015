/**
 * Everything that runs is a Service. Both calls may be repeated without harm.
 * Start sinks first; stop sources first.
 */

export interface Service {
  start(): Promise<void>;
  /** Takes nothing new, finishes what is held until `deadlineMs` (milliseconds from now), then lets go. */
  stop(deadlineMs: number): Promise<void>;
}

/** Resolves with the promise's outcome, or with `undefined` after `ms`. The promise itself goes on. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
