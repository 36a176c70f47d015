/** `sluice status`: how things stand, once or every two seconds. The exit code is for scripts and probes. */
import type { LoadedConfig } from '../config/load.ts';
import { type CommonFlags, createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { printJson, printLines } from '../output.ts';
import { kafkaHint, redisHint } from '../whereabouts.ts';
import { createObserver } from './look.ts';
import type { Status } from './shape.ts';
import { table } from './table.ts';

const WATCH_MS = 2_000;
/** Home, and clear to the end of the screen. */
const CLEAR = '\x1b[H\x1b[J';

export async function status(flags: CommonFlags & { json?: boolean; watch?: boolean }): Promise<number> {
  const { config, loaded, clock } = await createContext(flags, 'status');
  const observer = createObserver(config);
  for (;;) {
    const seen = await observer.look(clock.now());
    print(seen, flags);
    if (!flags.watch) {
      for (const each of hints(seen, loaded)) process.stderr.write(`${each}\n`);
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

function hints({ unreachable }: Status, loaded: LoadedConfig): string[] {
  const isAway = (who: string) => unreachable.some((each) => each.startsWith(who));
  return [
    ...(isAway('Kafka at ') ? [kafkaHint(loaded)] : []),
    ...Object.keys(loaded.config.redis).flatMap((name) => (isAway(`Redis ${name}:`) ? [redisHint(loaded, name)] : [])),
  ];
}

function print(seen: Status, { json, watch }: { json?: boolean; watch?: boolean }): void {
  if (!json && watch && process.stdout.isTTY) process.stdout.write(CLEAR);
  if (json) printJson(seen);
  else printLines(table(seen));
}
