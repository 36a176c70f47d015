/** The usual loop: `eachBatch`, `addBulk` of 500 with job ids, offsets resolved behind it. One batch at a time. */
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import { decodeEnvelope } from '../../src/schema/envelope.ts';
import { loadSchemas } from '../../src/schema/load.ts';

const [brokers = '', url = '', topic = '', proto = ''] = process.argv.slice(2);
const AT_ONCE = 500;

const schemas = loadSchemas([proto]);
const queue = new Queue('filled', { connection: new Redis(url, { maxRetriesPerRequest: null }) });
const kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-${process.pid}`, maxWaitTimeInMs: 250 });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }) => {
    for (let start = 0; start < batch.messages.length; start += AT_ONCE) {
      const messages = batch.messages.slice(start, start + AT_ONCE);
      const jobs = messages.map(({ value, offset }) => {
        const { type, payload } = decodeEnvelope(value as Buffer);
        const data: unknown = JSON.parse(schemas.codec(type).decodeToJson(payload).json);
        return {
          name: type,
          data,
          opts: { jobId: `${topic}-${batch.partition}-${offset}`, attempts: 10, removeOnComplete: true },
        };
      });
      await queue.addBulk(jobs);
      resolveOffset(messages.at(-1)?.offset as string);
      await heartbeat();
    }
    await commitOffsetsIfNecessary();
  },
});
