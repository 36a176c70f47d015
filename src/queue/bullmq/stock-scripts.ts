/** The text of the installed BullMQ's scripts, to be called inside ours as functions of (KEYS, ARGV). */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

/** Scripts that are used, with their number of keys, which is part of the file's name. */
const KEYS = {
  addStandardJob: 9,
  addPrioritizedJob: 9,
  addDelayedJob: 6,
  moveToActive: 11,
  moveToDelayed: 11,
  moveToFinished: 14,
} as const;

export type StockScript = keyof typeof KEYS;

export function keysOf(name: StockScript): number {
  return KEYS[name];
}

export function stockText(name: StockScript): string {
  const require = createRequire(import.meta.url);
  const module = require(`bullmq/dist/cjs/scripts/${name}-${KEYS[name]}.js`) as Record<string, { content: string }>;
  return module[name]?.content ?? '';
}

export function asFunction(name: StockScript, text = stockText(name)): string {
  return `local function ${name}(KEYS, ARGV)\n${text}\nend`;
}

/** Tells whether texts are those that ours were compared with. */
export function digestOf(scripts: Record<string, string>): string {
  return createHash('sha256').update(JSON.stringify(scripts)).digest('hex').slice(0, 16);
}
