/** Produces page views at a steady rate, each with the time at which it was made; tells its parent how many Kafka has acked. */
import { kafkaConfig } from '../../src/kafka/config.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { envelope } from '../payload.ts';

const [brokers = '', topic = '', rate = '1000', seconds = '10'] = process.argv.slice(2);
const TICK_MS = 10;
/** A request that takes longer than a tick does not hold up the next one. */
const UNDER_WAY = 8;

const producer = createRecordProducer(kafkaConfig.parse({ brokers: [brokers] }), silentLog);
const total = Number(rate) * Number(seconds);
const start = performance.now();
let [sent, acked, underWay] = [0, 0, 0];

await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1_000) * Number(rate)));
    if (due > sent && underWay < UNDER_WAY) void produce(due - sent);
    if (acked < total) return;
    clearInterval(timer);
    resolve();
  }, TICK_MS);
});
await producer.stop(5_000);
process.send?.({ acked, isDone: true });
process.disconnect?.();

async function produce(count: number): Promise<void> {
  const first = sent;
  sent += count;
  underWay += 1;
  const timestamp = Date.now();
  const value = envelope(undefined, timestamp);
  await producer.send(
    topic,
    Array.from({ length: count }, (_, i) => ({ key: String(first + i), value, timestamp })),
  );
  underWay -= 1;
  acked += count;
  process.send?.({ acked });
}
