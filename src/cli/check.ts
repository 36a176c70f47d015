/** `sluice check`: looks at everything that has to be right before anything is started, and starts nothing. */
import type { WorkerSet } from '../definition/discover.ts';
import { SluiceError } from '../errors.ts';
import { type CommonFlags, type Context, createContext, schemasFor, workersFor } from './context.ts';
import { EXIT } from './exit.ts';
import { printJson } from './output.ts';

const SHAPE_VERSION = 1;

export interface CheckFlags extends CommonFlags {
  readonly json?: boolean;
  /** Say only what is wrong. */
  readonly quiet?: boolean;
}

/** Throws the first thing that is wrong: CONFIG, SCHEMA or WORKER. */
export async function check(flags: CheckFlags): Promise<number> {
  const { config } = await createContext(flags, 'check');
  const schemas = schemasFor(config);
  const workers = await workersFor(config, schemas);
  const orphans = topicsWithoutTakers(config, workers);
  if (orphans.length > 0) throw new SluiceError('WORKER', noWorkers(config, orphans));
  const [types, files] = [schemas.types().length, workers.all().map(({ file }) => file)];
  if (flags.json) printJson({ version: SHAPE_VERSION, messageTypes: types, workers: files });
  else if (!flags.quiet) process.stdout.write(`all can be used: ${types} message types, ${files.length} workers\n`);
  return EXIT.ok;
}

/** Topics whose every event would become a dead letter, because nobody says which queue it goes to. */
export function topicsWithoutTakers({ topics }: Context['config'], workers: WorkerSet): string[] {
  if (workers.all().length > 0) return [];
  return Object.keys(topics).filter((topic) => topics[topic]?.queue === undefined);
}

export function noWorkers({ workers }: Context['config'], topics: readonly string[]): string {
  const them = topics.join(', ');
  return `${workers}: no workers there; events of ${them} that name no queue would all become dead letters. Name the folder by --workers, or give the topic a queue`;
}
