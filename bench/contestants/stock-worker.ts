/** BullMQ's own Worker with an empty processor. It settles nothing: its jobs are plain ones. */
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';

const [url = '', concurrency = '100'] = process.argv.slice(2);

new Worker('filled', async () => {}, {
  connection: new Redis(url, { maxRetriesPerRequest: null }),
  concurrency: Number(concurrency),
});
