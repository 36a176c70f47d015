/**
 * The configuration, composed: flags over environment over file over defaults; checked, completed and frozen.
 * Everything that is wrong is told at once, in one SluiceError CONFIG, each with where it came from.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { crossChecks, problemText } from './cross-checks.ts';
import { type Environment, environmentSettings, FILE_VARIABLE } from './environment.ts';
import { type ConfigFile, readConfigFile } from './file.ts';
import type { Path } from './paths.ts';
import { inWords } from './problems.ts';
import { type Config, configSchema, DEFAULT_REDIS } from './schema.ts';
import { type Layered, layer, type Setting, settingsOf } from './settings.ts';

export type { Config } from './schema.ts';

export interface ConfigSources {
  /** Settings by flags, highest first in rank. */
  readonly flags: readonly Setting[];
  /** `--config`. */
  readonly file: string | undefined;
  readonly environment: Environment;
  /** Absolute. */
  readonly cwd: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** `--brokers`, `KAFKA_BROKERS`, `sluice.config.ts`, or `default`. */
  sourceOf(path: Path): string;
}

const DEFAULT = 'default';
/** Queues live there unless they say otherwise, and so does what status and dashboard read. */
const MAIN_REDIS: Setting = { path: ['redis', DEFAULT_REDIS], value: {}, source: DEFAULT };

export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const { environment, cwd } = sources;
  const problems: string[] = [];
  const file = await readConfigFile(cwd, sources.file ?? (environment[FILE_VARIABLE] || undefined));
  const fromFile = settingsOf(file?.value, FILE_SOURCE);
  const fromEnvironment = environmentSettings(environment, layer(fromFile).tree, problems);
  const layered = layer([MAIN_REDIS, ...fromFile, ...fromEnvironment, ...sources.flags]);
  const config = withPaths(checked(layered, file, problems), layered, file, cwd);
  requireFolders(config, layered, file);
  return {
    config: deepFreeze(config),
    sourceOf: (path) => named(layered.sourceOf(path) ?? DEFAULT, file),
  };
}

/** Stands for the file until its name and line are needed. */
const FILE_SOURCE = '\0file';

function named(source: string, file: ConfigFile | undefined): string {
  return source === FILE_SOURCE ? (file?.place([]) ?? '') : source;
}

function checked(layered: Layered, file: ConfigFile | undefined, problems: string[]): Config {
  const from = (path: Path) => {
    // What is missing has no source of its own: it is missing from what lies around it.
    const source = layered.sourceOf(path) ?? layered.sourceOf(path.slice(0, -1));
    if (source === undefined || source === DEFAULT) return '';
    return ` (${source === FILE_SOURCE ? file?.place(path) : source})`;
  };
  const result = configSchema.safeParse(layered.tree);
  const issues = result.error?.issues ?? [];
  problems.push(...issues.flatMap((issue) => inWords(issue, { tree: layered.tree, from })));
  if (result.success) problems.push(...crossChecks(result.data).map((each) => problemText(each, from(each.path))));
  if (!result.success || problems.length > 0) throw new SluiceError('CONFIG', [...new Set(problems)].join('\n'));
  return result.data;
}

/**
 * Folders made absolute: those of the file lie beside it, the others in the working folder. A default folder of
 * .proto files that is not there is left out; workers may bring their own.
 */
function withPaths(config: Config, layered: Layered, file: ConfigFile | undefined, cwd: string): Config {
  const base = (key: string) => (layered.sourceOf([key]) === FILE_SOURCE ? (file?.folder ?? cwd) : cwd);
  const proto = config.proto.map((folder) => resolve(base('proto'), folder));
  const isDefault = layered.sourceOf(['proto']) === undefined;
  return {
    ...config,
    workers: resolve(base('workers'), config.workers),
    proto: isDefault ? proto.filter((folder) => existsSync(folder)) : proto,
  };
}

/** A folder that somebody named is there; one that only has its default name need not be. */
function requireFolders(config: Config, layered: Layered, file: ConfigFile | undefined): void {
  const folders = [...config.proto.map((folder) => ['proto', folder]), ['workers', config.workers]] as const;
  const missing = folders.flatMap(([key = '', folder = '']) => {
    const source = layered.sourceOf([key]);
    if (source === undefined || existsSync(folder)) return [];
    return [`${key} (${source === FILE_SOURCE ? file?.place([key]) : source}): ${folder} is not there`];
  });
  if (missing.length > 0) throw new SluiceError('CONFIG', missing.join('\n'));
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) deepFreeze(each);
  }
  return value;
}
