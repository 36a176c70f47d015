/** BullMQ's Worker as it is, with a processor that does nothing. */
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';

const [url = '', concurrency = '50'] = process.argv.slice(2);
const connection = new Redis(url, { maxRetriesPerRequest: null });
new Worker('drained', async () => undefined, {
  connection,
  concurrency: Number(concurrency),
  removeOnComplete: { count: 0 },
});
