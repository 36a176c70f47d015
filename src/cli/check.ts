/** `sluice check`: looks at everything that has to be right before anything is started, and starts nothing. */
import type { WorkerSet } from '../definition/discover.ts';
import { SluiceError } from '../errors.ts';
import { type CommonFlags, type Context, createContext, schemasFor, workersFor } from './context.ts';
import { EXIT } from './exit.ts';
import { noWorkers, topicsWithoutTakers, unfedWorkers, unknownMessages } from './feeding.ts';
import { counted, printJson } from './output.ts';

const SHAPE_VERSION = 1;

export interface CheckFlags extends CommonFlags {
  readonly json?: boolean;
  /** Say only what keeps everything from starting. */
  readonly quiet?: boolean;
}

/** Throws the first thing that is wrong: CONFIG, SCHEMA or WORKER. */
export async function check(flags: CheckFlags): Promise<number> {
  const { config } = await createContext(flags, 'check');
  const schemas = schemasFor(config);
  const unknown = unknownMessages(config, schemas);
  if (unknown !== undefined) throw new SluiceError('SCHEMA', unknown);
  const workers = await workersFor(config, schemas);
  const orphans = topicsWithoutTakers(config, workers);
  if (orphans.length > 0) throw new SluiceError('WORKER', noWorkers(config, orphans));
  const [types, files] = [schemas.types().length, [...workers.all(), ...workers.sidekiq.all()].map(({ file }) => file)];
  if (flags.quiet) return EXIT.ok;
  const warnings = await warningsOf(config, workers);
  if (flags.json) printJson({ version: SHAPE_VERSION, messageTypes: types, workers: files, warnings });
  else {
    process.stdout.write(`all can be used: ${counted(types, 'message type')}, ${counted(files.length, 'worker')}\n`);
    for (const each of warnings) process.stderr.write(`warning: ${each}\n`);
  }
  return EXIT.ok;
}

/** What starts all the same, and is hardly meant. The roles log the same. */
async function warningsOf(config: Context['config'], workers: WorkerSet): Promise<string[]> {
  const { portProblem } = await import('../dashboard/listen.ts');
  const { enabled } = config.dashboard;
  return [unfedWorkers(config, workers), enabled ? await portProblem(config.dashboard) : undefined].filter(
    (each) => each !== undefined,
  );
}
