/** `sluice status`: how things stand, once or every two seconds. The exit code is for scripts and probes. */
import { type CommonFlags, createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { printJson, printLines } from '../output.ts';
import { createObserver } from './look.ts';
import type { Status } from './shape.ts';
import { table } from './table.ts';

const WATCH_MS = 2_000;
/** Home, and clear to the end of the screen. */
const CLEAR = '\x1b[H\x1b[J';

export async function status(flags: CommonFlags & { json?: boolean; watch?: boolean }): Promise<number> {
  const { config, clock } = await createContext(flags, 'status');
  const observer = createObserver(config);
  for (;;) {
    const seen = await observer.look(clock.now());
    print(seen, flags);
    if (!flags.watch) {
      await observer.close();
      return exitCodeOfStatus(seen);
    }
    await clock.sleep(WATCH_MS);
  }
}

export function exitCodeOfStatus({ unreachable, isHealthy }: Pick<Status, 'unreachable' | 'isHealthy'>): number {
  if (unreachable.length > 0) return EXIT.unreachable;
  return isHealthy ? EXIT.ok : EXIT.unhealthy;
}

function print(seen: Status, { json, watch }: { json?: boolean; watch?: boolean }): void {
  if (!json && watch && process.stdout.isTTY) process.stdout.write(CLEAR);
  if (json) printJson(seen);
  else printLines(table(seen));
}
