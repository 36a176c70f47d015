/**
 * `sluice produce`: one message, a file of lines, or stdin. Every line is acked, or named with what is wrong with it;
 * a bad line does not keep the others back. What became of lines when Kafka or Redis went away is said too.
 */
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import { suggestion } from '../suggest.ts';
import { type CommonFlags, createContext } from './context.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { printJson } from './output.ts';
import { inputOf } from './produce-input.ts';
import type { Counts } from './produce-lines.ts';
import { eventOutlet, sidekiqOutlet, type Way } from './produce-outlet.ts';

const SHAPE_VERSION = 1;
const WAYS: readonly Way[] = ['kafka', 'redis'];

export interface ProduceFlags extends CommonFlags {
  readonly json?: string;
  readonly file?: string;
  readonly via?: string;
  readonly topic?: string;
  readonly key?: string;
  readonly queue?: string;
  readonly delay?: number;
  readonly attempts?: number;
  readonly priority?: number;
  readonly sidekiq?: boolean;
}

export async function produce(type: string | undefined, flags: ProduceFlags): Promise<number> {
  const via = wayIn(flags);
  const source = inputOf(flags);
  const { loaded } = await createContext(flags, 'produce');
  const outlet = await (flags.sidekiq ? sidekiqOutlet : eventOutlet)(via, type, flags, loaded);
  const counts: Counts = { acked: 0, refused: 0, unknown: 0 };
  sayWhatIsAwaited(outlet.line, flags);
  try {
    await outlet.produce(source, counts);
    return codeOf(counts);
  } catch (error) {
    process.stderr.write(`sluice: ${messageOf(error)}\n`);
    if (isSluiceError(error, 'UNREACHABLE')) process.stderr.write(`${outlet.hint}\n`);
    return exitCodeOf(error);
  } finally {
    printJson({ version: SHAPE_VERSION, ...counts });
    await outlet.close().catch(() => undefined);
  }
}

function wayIn({ via = process.env.SLUICE_VIA ?? 'kafka' }: ProduceFlags): Way {
  const way = WAYS.find((each) => each === via);
  if (way !== undefined) return way;
  throw new SluiceError('USAGE', `--via: "${via}" is not allowed${suggestion(via, WAYS)}; allowed: ${WAYS.join(', ')}`);
}

/** A terminal would look as if the command hung. */
function sayWhatIsAwaited(line: string, { json, file }: ProduceFlags): void {
  if (json !== undefined || file !== undefined || !process.stdin.isTTY) return;
  process.stderr.write(`reading from the terminal: each line ${line}; Ctrl-D ends\n`);
}

function codeOf({ acked, refused }: Counts): number {
  if (acked + refused === 0) throw new SluiceError('USAGE', 'nothing to produce: no line came; see --json and --file');
  if (refused === 0) return EXIT.ok;
  return acked > 0 ? EXIT.partial : EXIT.failed;
}
