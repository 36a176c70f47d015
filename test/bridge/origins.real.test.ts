/** Records of dead jobs, found again in a real log: neighbours share a fetch, and what is gone is said to be. */
import kafkajs from 'kafkajs';
import { expect, it } from 'vitest';
import { Origins } from '../../src/bridge/origins.ts';
import { startKafkaProxy } from '../../src/faults/kafka-proxy.ts';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { createRecordReader } from '../../src/kafka/record-reader.ts';
import { silentLog } from '../../src/log.ts';
import { makeTopic } from '../support/kafka.ts';

const FETCH = 1;

it('finds many at once with few fetches, and those that were deleted not at all', async () => {
  const { topic, kafka, stop } = await makeTopic(1);
  const producer = createRecordProducer(kafka, silentLog);
  await producer.send(
    topic,
    Array.from({ length: 3_000 }, (_, i) => ({ key: `${i}`, value: Buffer.from(`v${i}`) })),
  );
  const proxy = await startKafkaProxy(kafka.brokers[0] as string);
  let fetches = 0;
  proxy.onRequest = (apiKey) => {
    if (apiKey === FETCH) fetches += 1;
  };
  const config = { ...kafka, brokers: proxy.brokers };
  const reader = createRecordReader(config, silentLog);
  const admin = createKafkaAdmin(config, silentLog);
  const origins = new Origins(reader, admin);
  const find = async (offset: number) => String((await origins.find({ topic, partition: 0 }, offset))?.value);

  const all = Array.from({ length: 1_000 }, (_, i) => 3 * i);
  expect(await Promise.all(all.toReversed().map(find))).toEqual(all.toReversed().map((i) => `v${i}`));
  expect(fetches).toBeLessThanOrEqual(4);
  expect(await Promise.all([find(5), find(5), find(6)])).toEqual(['v5', 'v5', 'v6']);

  const peer = new kafkajs.Kafka({ brokers: kafka.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await peer.connect();
  await peer.fetchTopicOffsets(topic);
  await peer.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1500' }] });
  await peer.disconnect();
  fetches = 0;
  const found = await Promise.all(all.map(find));
  expect(found.slice(0, 500)).toEqual(Array.from({ length: 500 }, () => 'undefined'));
  expect(found.slice(500)).toEqual(all.slice(500).map((i) => `v${i}`));
  expect(fetches).toBeLessThanOrEqual(4);
  expect(await Promise.all([find(2_999), find(3_000), find(4_000)])).toEqual(['v2999', 'undefined', 'undefined']);

  await proxy.goAway();
  await expect(find(2_000)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  await proxy.comeBack();
  expect(await find(2_000)).toBe('v2000');
  await Promise.all([producer.stop(1_000), reader.stop(1_000), admin.stop(1_000), stop()]);
  await proxy.stop();
});
