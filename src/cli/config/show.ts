/** `sluice config show`: the configuration in force, and where each value comes from. Secrets are masked. */
import { type CommonFlags, loadConfigFor } from '../context.ts';
import { EXIT } from '../exit.ts';
import { columns, printJson, printLines } from '../output.ts';
import type { LoadedConfig } from './load.ts';
import { leaves, written } from './paths.ts';
import { masked } from './secrets.ts';

const SHAPE_VERSION = 1;

export async function showConfig(flags: CommonFlags & { sources?: boolean; json?: boolean }): Promise<number> {
  const settings = settingsOf(await loadConfigFor(flags));
  if (flags.json) {
    printJson({ version: SHAPE_VERSION, settings });
    return EXIT.ok;
  }
  const rows = settings.map(({ path, value, source }) => [`${path} =`, JSON.stringify(value), `# ${source}`]);
  printLines(flags.sources ? columns(rows) : rows.map(([path, value]) => `${path} ${value}`));
  return EXIT.ok;
}

/** Every value with its source, in the order of the schema. */
export function settingsOf({ config, sourceOf }: LoadedConfig) {
  return leaves(config).map(({ path, value }) => ({
    path: written(path),
    value: masked(value, path),
    source: sourceOf(path),
  }));
}
