/**
 * The usual loop: `eachBatch`, `addBulk` of 500, offsets resolved behind it. As it is usually written, one partition at a time
 * and with ids that Redis gives; with `tuned`, partitions side by side and an id for each record.
 */
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import { createJobs } from './jobs.ts';

const [brokers = '', url = '', topic = '', how = 'usual'] = process.argv.slice(2);
const AT_ONCE = 500;
const isTuned = how === 'tuned';

const jobOf = createJobs(topic, isTuned);
const queue = new Queue('filled', { connection: new Redis(url, { maxRetriesPerRequest: null }) });
const kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-${process.pid}`, maxWaitTimeInMs: 250 });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  partitionsConsumedConcurrently: isTuned ? 6 : 1,
  eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }) => {
    for (let start = 0; start < batch.messages.length; start += AT_ONCE) {
      const messages = batch.messages.slice(start, start + AT_ONCE);
      await queue.addBulk(messages.map((message) => jobOf(batch.partition, message)));
      resolveOffset(messages.at(-1)?.offset as string);
      await heartbeat();
    }
    await commitOffsetsIfNecessary();
  },
});
