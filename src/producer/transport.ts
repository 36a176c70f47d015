/** One way for what is produced to go, opened when it is first needed: one way does not pay for the other. */
import { SluiceError } from '../errors.ts';

export interface Transport<T> {
  /** Resolves when all is durable where it went. */
  send(all: readonly T[]): Promise<void>;
  close(): Promise<void>;
}

export function whenNeeded<T>(open: () => Promise<Transport<T>>): Transport<T> {
  let opening: Promise<Transport<T>> | undefined;
  let isClosed = false;
  return {
    async send(all) {
      if (isClosed) throw new SluiceError('STOPPED', 'the producer is closed');
      if (all.length === 0) return;
      opening ??= open();
      await (await opening).send(all);
    },

    async close() {
      isClosed = true;
      const opened = await opening?.catch(() => undefined);
      await opened?.close();
    },
  };
}
