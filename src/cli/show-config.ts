/** `sluice config show`. */
import { maskUrl } from '../redis/connection.ts';
import { loadConfig } from './config.ts';
import { EXIT } from './exit.ts';

const SECRET = /^(password|secretAccessKey|sessionToken|accessKeyId|key|cert)$/;
const SHAPE_VERSION = 1;

export async function showConfig(flags: { config?: string; sources?: boolean; json?: boolean }): Promise<number> {
  const { config, sourceOf } = await loadConfig({ cwd: process.cwd(), env: process.env, file: flags.config });
  const settings = flatten(config).map(([path, value]) => ({
    path,
    value: shown(path, value),
    source: sourceOf(path),
  }));
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ version: SHAPE_VERSION, settings })}\n`);
    return EXIT.ok;
  }
  for (const { path, value, source } of settings) {
    process.stdout.write(`${path} = ${JSON.stringify(value)}${flags.sources ? `  # ${source}` : ''}\n`);
  }
  return EXIT.ok;
}

function flatten(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, each]) => flatten(each, path === '' ? name : `${path}.${name}`));
}

function shown(path: string, value: unknown): unknown {
  const name = path.split('.').at(-1) ?? '';
  if (typeof value === 'function') return '(function)';
  if (typeof value !== 'string') return value;
  if (SECRET.test(name)) return '***';
  return name === 'url' && URL.canParse(value) ? maskUrl(value) : value;
}
