/** The first thing that anybody writes: `eachMessage`, and `await queue.add`. */
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import { createJobs } from './jobs.ts';

const [brokers = '', url = '', topic = ''] = process.argv.slice(2);

const jobOf = createJobs(topic, false);
const queue = new Queue('filled', { connection: new Redis(url, { maxRetriesPerRequest: null }) });
const kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-${process.pid}`, maxWaitTimeInMs: 250 });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  eachMessage: async ({ partition, message }) => {
    const { name, data, opts } = jobOf(partition, message);
    await queue.add(name, data, opts);
  },
});
