/** KafkaJS's own batches over the mended fetch: random logs, where each record knows what became of its transaction. */
import type { Broker, Cluster, PartitionAssigner } from 'kafkajs';
import Batch from 'kafkajs/src/consumer/batch.js';
import { expect, it } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import type { FetchedMessage, FetchedPartition } from '../../src/kafka/committed-only.ts';
import { watchingAssigner } from '../../src/kafka/group-seam.ts';

const NO_PRODUCER = '-1';
/** As KafkaJS knows an abort mark, and as a record with the number 0 for a key. */
const ZERO_KEY = Buffer.alloc(4);

interface Transaction {
  readonly producerId: string;
  readonly first: number;
  /** Where its mark lies. */
  end: number;
  isAborted: boolean;
}

interface Entry {
  readonly message: FetchedMessage;
  readonly transaction?: Transaction | undefined;
}

interface Log {
  readonly entries: readonly Entry[];
  /** In order of their ends, as a broker lists them. */
  readonly aborted: readonly Transaction[];
}

function message(offset: number, producerId: string, key: Buffer | null, isControlRecord: boolean): FetchedMessage {
  const batchContext = { producerId, inTransaction: producerId !== NO_PRODUCER };
  return { offset: `${offset}`, key, value: null, isControlRecord, batchContext } as unknown as FetchedMessage;
}

/** Several producers in transactions, and one without. All transactions are ended, some of them without a record. */
function randomLog(random: () => number, steps: number): Log {
  const below = (count: number) => Math.floor(random() * count);
  const producers = Array.from({ length: 1 + below(4) }, (_, i) => `${i}`);
  const [entries, aborted, open]: [Entry[], Transaction[], Map<string, Transaction>] = [[], [], new Map()];
  let next = 0;
  const write = (producerId: string) => {
    const first = next++;
    if (producerId !== NO_PRODUCER && !open.has(producerId))
      open.set(producerId, { producerId, first, end: -1, isAborted: false });
    const key = random() < 0.2 ? ZERO_KEY : null;
    entries.push({ message: message(first, producerId, key, false), transaction: open.get(producerId) });
  };
  const end = (producerId: string) => {
    const ended = open.get(producerId);
    const isAborted = random() < 0.6;
    const mark = next++;
    entries.push({ message: message(mark, producerId, isAborted ? ZERO_KEY : Buffer.from([0, 0, 0, 1]), true) });
    if (ended === undefined) return;
    Object.assign(ended, { end: mark, isAborted });
    if (isAborted) aborted.push(ended);
    open.delete(producerId);
  };
  for (let step = 0; step < steps; step++) {
    const producerId = producers[below(producers.length)] as string;
    if (random() < 0.2) write(NO_PRODUCER);
    else if (random() < 0.3) end(producerId);
    else write(producerId);
  }
  for (const producerId of open.keys()) end(producerId);
  return { entries, aborted };
}

/** What compaction may leave: of the records any, of the marks all. */
function compacted({ entries, aborted }: Log, random: () => number): Log {
  return { entries: entries.filter(({ message }) => message.isControlRecord || random() < 0.7), aborted };
}

/** As a broker answers: records of a few offsets below the asked one may come too, when they are of its batch. */
function partitionOf({ entries, aborted }: Log, from: number, upTo: number): FetchedPartition {
  const asked = entries.find(({ message: { offset } }) => Number(offset) >= from);
  const isReturned = ({ message, transaction }: Entry) => {
    const offset = Number(message.offset);
    const isOfBatch = offset >= from - 2 && transaction !== undefined && transaction === asked?.transaction;
    return (offset >= from || isOfBatch) && offset < upTo;
  };
  const listed = aborted.filter(({ first, end }) => end >= from && first < upTo);
  return {
    messages: entries.filter(isReturned).map(({ message }) => message),
    abortedTransactions: listed.map(({ producerId, first }) => ({ producerId, firstOffset: `${first}` })),
    lastStableOffset: '1000',
  };
}

/** What a broker answers, through a consumer that has our assigner. */
async function fetched(partition: FetchedPartition): Promise<FetchedPartition> {
  const broker = { fetch: async () => ({ responses: [{ partitions: [partition] }] }) } as unknown as Broker;
  const { responses } = await (await connectedTo(broker).findBroker({ nodeId: '0' })).fetch({ topics: [] });
  return responses[0].partitions[0];
}

function connectedTo(broker: Broker): Cluster {
  const cluster = { findBroker: async () => broker } as unknown as Cluster;
  const assigner = watchingAssigner({ group: () => undefined, outOfRange: () => undefined });
  assigner({ cluster } as Parameters<PartitionAssigner>[0]);
  return cluster;
}

const offsets = (messages: readonly { offset: string }[]) => messages.map(({ offset }) => Number(offset));

async function expectRight(what: string, log: Log, from: number, upTo: number): Promise<void> {
  const partition = { ...partitionOf(log, from, upTo), highWatermark: '1000' };
  const batch = new Batch('t', `${from}`, await fetched(partition));
  const isKept = ({ message: { offset, isControlRecord }, transaction }: Entry) =>
    !isControlRecord && transaction?.isAborted !== true && Number(offset) >= from && Number(offset) < upTo;
  const kept = log.entries.filter(isKept).map(({ message }) => message);
  expect(offsets(batch.messages), what).toEqual(offsets(kept));
  // What is left out is passed by as if it had been taken, also where nothing is left.
  const whole = new Batch('t', `${from}`, { ...partition, abortedTransactions: [] });
  expect(offsets(batch.rawMessages)).toEqual(offsets(partition.messages));
  expect([batch.firstOffset(), batch.lastOffset()]).toEqual([whole.firstOffset(), whole.lastOffset()]);
  expect(batch.isEmptyDueToFiltering()).toBe(kept.length === 0 && partition.messages.length > 0);
}

it('show what was committed and nothing else, wherever a fetch begins and ends', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = createRandom(seed);
    const whole = randomLog(random, 30);
    for (const log of [whole, compacted(whole, random)]) {
      const end = Number(log.entries.at(-1)?.message.offset) + 1;
      for (let i = 0; i < 10; i++) {
        const from = Math.floor(random() * end);
        const upTo = from + 1 + Math.floor(random() * (end - from));
        await expectRight(`seed ${seed}, from ${from} up to ${upTo}`, log, from, upTo);
      }
    }
  }
});

it('leave as it is what a fetch without aborted transactions brought', async () => {
  const partition = { messages: [message(0, '1', null, false)], abortedTransactions: null, lastStableOffset: '1' };
  expect(await fetched(partition)).toBe(partition);
});

it('mend each broker once', async () => {
  const cluster = connectedTo({ fetch: async () => ({ responses: [] }) } as unknown as Broker);
  const { fetch } = await cluster.findBroker({ nodeId: '0' });
  expect((await cluster.findBroker({ nodeId: '0' })).fetch).toBe(fetch);
});

it('asks ahead behind a backlog, for as much as fits the records', async () => {
  const asked: { maxBytes: number; from: string }[] = [];
  const partition = {
    partition: 0,
    messages: [],
    abortedTransactions: null,
    highWatermark: '9000',
    lastStableOffset: '9000',
  };
  const fetch: Broker['fetch'] = async ({ maxBytes = 0, topics: [topic] }) => {
    const { fetchOffset: offset = '' } = topic?.partitions[0] ?? {};
    asked.push({ maxBytes, from: offset });
    const messages = [{ ...message(Number(offset), '1', null, false), value: Buffer.alloc(1_000) }];
    return { responses: [{ topicName: 't', partitions: [{ ...partition, messages }] }] };
  };
  const broker = await connectedTo({ fetch } as unknown as Broker).findBroker({ nodeId: '0' });
  await broker.fetch({ topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: '5', maxBytes: 1 }] }] });
  expect(asked).toEqual([
    { maxBytes: 1_048_576, from: '5' },
    { maxBytes: 3_000_000, from: '6' },
  ]);
});
