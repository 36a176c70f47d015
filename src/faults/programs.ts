/**
 * The programs that the kit starts, written into the run's folder with all that they need to know, so that they take
 * neither arguments nor environment: the worker of probes for Sluice's host, a stock worker, and the producer.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProducerOptions } from './load/run-producer.ts';
import type { StockWorkerOptions } from './load/stock-worker.ts';

/** `.ts` in the checkout, `.js` in the published package. */
const EXTENSION = extname(fileURLToPath(import.meta.url));

export interface Programs {
  /** Folder of the workers, with their proto. */
  readonly workers: string;
  readonly stock: string;
  readonly producer: string;
  /** A module that moves the clock of the process that loads it first. */
  readonly shiftedClock: (byMs: number) => string;
}

export interface ProgramOptions {
  readonly dir: string;
  readonly history: string;
  readonly queue: string;
  readonly stock: Omit<StockWorkerOptions, 'history'>;
  readonly producer: Omit<ProducerOptions, 'history' | 'proto'>;
}

export function writePrograms({ dir, history, queue, stock, producer }: ProgramOptions): Programs {
  const workers = join(dir, 'workers');
  mkdirSync(workers, { recursive: true });
  copyFileSync(new URL('./load/probe.proto', import.meta.url), join(workers, 'probe.proto'));
  write(
    join(workers, 'probe.mjs'),
    `import { probeWorker } from ${moduleOf('probe-worker')};
export default probeWorker(${text(history)}, ${text(queue)});`,
  );
  return {
    workers,
    stock: write(
      join(dir, 'stock.mjs'),
      `import { runStockWorker } from ${moduleOf('stock-worker')};
process.on('disconnect', () => process.exit());
runStockWorker(${text({ ...stock, history })});`,
    ),
    producer: write(
      join(dir, 'producer.mjs'),
      `import { runProducer } from ${moduleOf('run-producer')};
process.on('disconnect', () => process.exit());
await runProducer(${text({ ...producer, history, proto: workers })}, (take) => process.on('message', take));`,
    ),
    shiftedClock: (byMs) => write(join(dir, `clock-${byMs}.mjs`), shiftedClock(byMs)),
  };
}

function shiftedClock(byMs: number): string {
  return `const now = Date.now;
Date.now = () => now() + ${byMs};
globalThis.Date = class extends Date {
  constructor(...args) {
    if (args.length > 0) super(...args);
    else super(Date.now());
  }
};`;
}

function moduleOf(name: string): string {
  return text(new URL(`./load/${name}${EXTENSION}`, import.meta.url).href);
}

function write(file: string, source: string): string {
  writeFileSync(file, `${source}\n`);
  return file;
}

function text(value: unknown): string {
  return JSON.stringify(value);
}
