import kafkajs, { type Message, type PartitionMetadata } from 'kafkajs';
import { expect, it } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import { settledPartitioner } from '../../src/kafka/partitioner.ts';

const METADATA = Array.from({ length: 12 }, (_, partitionId) => ({ partitionId, leader: 1 }) as PartitionMetadata);

const ours = settledPartitioner();
const clients = kafkajs.Partitioners.DefaultPartitioner();
const choose = (by: typeof ours, message: Partial<Message>, partitions = 12) =>
  by({ topic: 't', partitionMetadata: METADATA.slice(0, partitions), message: { value: null, ...message } });

// Of Kafka's own UtilsTest.
it.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  [Buffer.from('abc'), 479470107],
])('chooses what Java does for %s', (key, hash) => {
  expect(choose(ours, { key })).toBe((hash & 0x7fffffff) % 12);
});

it('chooses what the client does, for keys of any bytes and lengths', () => {
  const random = createRandom(7);
  for (let i = 0; i < 5_000; i++) {
    const key = Buffer.from(Array.from({ length: i % 41 }, () => Math.floor(random() * 256)));
    const partitions = 1 + (i % 12);
    expect(choose(ours, { key }, partitions)).toBe(choose(clients, { key }, partitions));
  }
  for (const key of ['', 'ünï', '🫖 tea', '\ud800']) expect(choose(ours, { key })).toBe(choose(clients, { key }));
});

it('leaves the partition of a record that names one', () => {
  expect(choose(ours, { key: 'foobar', partition: 5 })).toBe(5);
  expect(choose(ours, { key: 'foobar', partition: 0 })).toBe(0);
});

it('goes round with those that have no key, and keeps to what it has chosen', () => {
  // No whole rounds: the second time, another choice would be made.
  const messages: Message[] = Array.from({ length: 23 }, () => ({ key: null, value: null }));
  const chosen = () => messages.map((message) => ours({ topic: 't', partitionMetadata: METADATA, message }));
  const first = chosen();
  expect(new Set(first).size).toBe(12);
  expect(chosen()).toEqual(first);
});
