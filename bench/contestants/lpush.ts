/** A bare loop: `eachBatch`, and LPUSH of what the records hold, 500 at once. Nothing is looked at. */
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';

const [brokers = '', url = '', topic = ''] = process.argv.slice(2);
const AT_ONCE = 500;

const redis = new Redis(url, { maxRetriesPerRequest: null });
await redis.sadd('queues', 'filled');
const kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-${process.pid}`, maxWaitTimeInMs: 250 });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }) => {
    for (let start = 0; start < batch.messages.length; start += AT_ONCE) {
      const messages = batch.messages.slice(start, start + AT_ONCE);
      await redis.lpush('queue:filled', ...messages.map(({ value }) => value as Buffer));
      resolveOffset(messages.at(-1)?.offset as string);
      await heartbeat();
    }
    await commitOffsetsIfNecessary();
  },
});
