/** Sluice's host with a worker that does nothing; with `batch`, one that takes many messages at once. */
import { systemClock } from '../../src/clock.ts';
import { defineWorkerFor } from '../../src/definition/define.ts';
import { workerSet } from '../../src/definition/discover.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { connect } from '../../src/redis/connection.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { createBullHost } from '../../src/worker/hosts/bullmq.ts';

const [url = '', concurrency = '50', proto = '', kind = ''] = process.argv.slice(2);
const nothing = kind === 'batch' ? { runBatch: () => undefined } : { run: () => undefined };
const definition = defineWorkerFor('acme.web.v1.PageView', { queue: 'drained', ...nothing });
await createBullHost({
  queue: 'drained',
  prefix: 'bull',
  concurrency: Number(concurrency),
  connection: connect('main', { url }, 'worker', silentLog),
  workers: workerSet([{ file: '', definition }]),
  schemas: loadSchemas([proto]),
  portFor: () => ({ track: async () => undefined }),
  log: silentLog,
  metrics: createMetrics(),
  clock: systemClock,
}).start();
