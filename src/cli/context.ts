/** What every command works with: configuration, schemas, workers, log, metrics. Made once, at the edge. */
import { systemClock } from '../clock.ts';
import { createLog } from '../create-log.ts';
import { discoverWorkers, type WorkerSet } from '../definition/discover.ts';
import type { Log } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { type LoadedSchemas, loadSchemas } from '../schema/load.ts';
import { type Config, type LoadedConfig, loadConfig } from './config/load.ts';
import type { Setting } from './config/settings.ts';

export interface CommonFlags {
  readonly config?: string;
  readonly workers?: string;
  readonly proto?: readonly string[];
  readonly logLevel?: string;
  /** Of hosts. */
  readonly processes?: number;
}

export interface Context {
  readonly config: Config;
  readonly loaded: LoadedConfig;
  readonly log: Log;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly clock: typeof systemClock;
}

export async function createContext(flags: CommonFlags, role: string): Promise<Context> {
  const loaded = await loadConfigFor(flags);
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

export function loadConfigFor(flags: CommonFlags): Promise<LoadedConfig> {
  const { cwd, env: environment } = process;
  return loadConfig({ cwd: cwd(), environment, file: flags.config, flags: flagSettings(flags) });
}

function flagSettings({ workers, proto, logLevel, processes }: CommonFlags): Setting[] {
  return [
    { path: ['work', 'processes'], value: processes, source: '--processes' },
    { path: ['workers'], value: workers, source: '--workers' },
    { path: ['proto'], value: proto === undefined ? undefined : [...proto], source: '--proto' },
    { path: ['log', 'level'], value: logLevel, source: '--log-level' },
  ].filter(({ value }) => value !== undefined);
}
