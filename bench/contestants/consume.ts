/** A bare KafkaJS consumer: notes how old each record is when it is handed over, in milliseconds. */
import { writeFileSync } from 'node:fs';
import kafkajs from 'kafkajs';

const [brokers = '', topic = ''] = process.argv.slice(2);
const ages: number[] = [];

const kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-${process.pid}`, maxWaitTimeInMs: 250 });
process.once('SIGTERM', () => {
  writeFileSync(process.env.BENCH_AGES ?? '/dev/null', JSON.stringify(ages));
  process.exit(0);
});
await consumer.connect();
await consumer.subscribe({ topics: [topic] });
await consumer.run({
  eachMessage: async ({ message }) => {
    ages.push(Date.now() - Number(message.timestamp));
  },
});
