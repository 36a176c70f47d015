/** What every command works with: configuration, schemas, workers, log, metrics. Made once, at the edge. */
import { systemClock } from '../clock.ts';
import { discoverWorkers, type WorkerSet } from '../definition/discover.ts';
import { createLog, type Log } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { type LoadedSchemas, loadSchemas } from '../schema/load.ts';
import { type LoadedConfig, loadConfig } from './config.ts';
import type { Config } from './config-shape.ts';
import type { Source } from './config-sources.ts';

export interface CommonFlags {
  readonly config?: string;
  readonly workers?: string;
  readonly proto?: readonly string[];
  readonly logLevel?: string;
}

export interface Context {
  readonly config: Config;
  readonly loaded: LoadedConfig;
  readonly log: Log;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly clock: typeof systemClock;
}

export async function createContext(flags: CommonFlags, role: string): Promise<Context> {
  const loaded = await loadConfig({
    cwd: process.cwd(),
    env: process.env,
    file: flags.config,
    flags: flagSources(flags),
  });
  const { config } = loaded;
  const log = createLog(config.log.level, { role, pid: process.pid });
  return { config, loaded, log, metrics: createMetrics(), clock: systemClock };
}

export function schemasFor(config: Config): LoadedSchemas {
  return loadSchemas([...config.proto, config.workers]);
}

export function workersFor(config: Config, schemas: LoadedSchemas): Promise<WorkerSet> {
  return discoverWorkers(config.workers, schemas);
}

function flagSources({ workers, proto, logLevel }: CommonFlags): Source[] {
  return [
    ...(workers === undefined ? [] : [{ name: '--workers', path: ['workers'], value: workers }]),
    ...(proto === undefined ? [] : [{ name: '--proto', path: ['proto'], value: [...proto] }]),
    ...(logLevel === undefined ? [] : [{ name: '--log-level', path: ['log', 'level'], value: logLevel }]),
  ];
}
