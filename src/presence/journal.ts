/**
 * Writes entries to Redis in order, and keeps those that it could not take until it is back: what matters most is often
 * what happened while Redis was away. Recording never throws and never waits.
 */
import type { Clock } from '../clock.ts';
import { type Service, within } from '../service.ts';

const TRY_AGAIN_MS = 1_000;
/** The newest entries are kept while Redis is away. */
const WAITING_ENTRIES = 200;

export interface Journal<Entry> extends Service {
  record(entry: Entry): void;
}

/** `write` answers whether the entry is written. */
export function createJournal<Entry>(write: (entry: Entry) => Promise<boolean>, clock: Clock): Journal<Entry> {
  const stopping = new AbortController();
  let waiting: { readonly entry: Entry }[] = [];
  let writing: Promise<void> | undefined;

  async function writeAll(): Promise<void> {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const isWritten = await write(next.entry).catch(() => false);
      if (isWritten) waiting = waiting.filter((each) => each !== next);
      else if (stopping.signal.aborted) return;
      else await clock.sleep(TRY_AGAIN_MS, stopping.signal);
    }
  }

  return {
    async start() {},
    record(entry) {
      waiting = [...waiting.slice(1 - WAITING_ENTRIES), { entry }];
      writing ??= writeAll().finally(() => {
        writing = undefined;
      });
    },
    async stop(deadlineMs) {
      stopping.abort();
      await within(deadlineMs, writing ?? Promise.resolve());
    },
  };
}
