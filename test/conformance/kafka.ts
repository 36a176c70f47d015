/** What a Kafka client must do for the bridge, whichever it is. See src/kafka/consumer.ts for the promises. */
import { randomUUID } from 'node:crypto';
import { afterEach, expect, it, vi } from 'vitest';
import type {
  Assignment,
  BatchControl,
  ConsumerHandlers,
  GroupConsumer,
  KafkaAdmin,
  RecordBatch,
  RecordProducer,
} from '../../src/kafka/consumer.ts';

export interface KafkaUnderTest {
  readonly admin: KafkaAdmin;
  readonly producer: RecordProducer;
  consumer(groupId: string, topics: readonly string[], handlers: ConsumerHandlers): GroupConsumer;
}

const SOON = { timeout: 20_000, interval: 50 };

/** A member that takes everything, from offset 0, and writes down what happens to it. */
class Member {
  readonly consumer: GroupConsumer;
  readonly assignments: Assignment[] = [];
  readonly revoked: number[] = [];
  readonly batches: RecordBatch[] = [];
  readonly outOfRange: number[] = [];
  readonly failures: Error[] = [];
  onRecords: (batch: RecordBatch, control: BatchControl) => void | Promise<void> = (batch, control) =>
    control.resolve(batch.records.at(-1)?.offset as number);
  isTaking = true;

  constructor(under: KafkaUnderTest, groupId: string, topic: string) {
    this.consumer = under.consumer(groupId, [topic], {
      assigned: (assignment) => {
        this.assignments.push(assignment);
        if (this.isTaking) this.take();
      },
      revoked: (epoch) => void this.revoked.push(epoch),
      records: async (batch, control) => {
        this.batches.push(batch);
        await this.onRecords(batch, control);
      },
      outOfRange: (partition) => void this.outOfRange.push(partition.partition),
      failed: (error) => void this.failures.push(error),
    });
  }

  get assignment(): Assignment {
    return this.assignments.at(-1) as Assignment;
  }

  take(): void {
    for (const partition of this.assignment.partitions) this.consumer.seek(partition, 0);
    this.consumer.resume(this.assignment.partitions);
  }

  get offsets(): number[] {
    return this.batches.flatMap(({ records }) => records.map(({ offset }) => offset));
  }
}

async function heartbeatUntilRejected(control: BatchControl): Promise<void> {
  for (;;) {
    await control.heartbeat();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function describeKafka(under: () => KafkaUnderTest): void {
  let members: Member[] = [];
  let topic: string;
  let groupId: string;

  afterEach(async () => {
    await Promise.all(members.map(({ consumer }) => consumer.stop(5_000)));
    members = [];
  });

  async function makeTopic(partitions: number, config = {}): Promise<void> {
    const id = randomUUID().slice(0, 8);
    topic = `kafka.${id}`;
    groupId = `kafka-${id}`;
    await under().admin.ensureTopics([{ topic, partitions, config }]);
  }

  async function join(prepare: (member: Member) => void = () => undefined): Promise<Member> {
    const member = new Member(under(), groupId, topic);
    members.push(member);
    prepare(member);
    await member.consumer.start();
    await vi.waitFor(() => expect(member.assignments.length).toBeGreaterThan(0), SOON);
    return member;
  }

  function produce(count: number, start = 0): Promise<void> {
    const records = Array.from({ length: count }, (_, i) => ({
      key: `k${i}`,
      value: Buffer.from(String(start + i)),
      partition: 0,
    }));
    return under().producer.send(topic, records);
  }

  it('gives every record once, in order, with key, value, time and headers', async () => {
    await makeTopic(1);
    const timestamp = 1_790_000_000_000;
    await under().producer.send(topic, [
      { key: 'k', value: Buffer.from('v'), headers: { a: '1', b: 'ü' }, timestamp },
      { key: null, value: null },
      { key: Buffer.from([0xff]), value: Buffer.alloc(0) },
    ]);
    const member = await join();
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2]), SOON);
    const [first, second, third] = member.batches.flatMap(({ records }) => records);
    expect(first).toEqual({
      offset: 0,
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      headers: { a: '1', b: 'ü' },
      timestamp,
    });
    expect(second).toMatchObject({ key: null, value: null, headers: {} });
    expect(third).toMatchObject({ key: Buffer.from([0xff]), value: Buffer.alloc(0) });
  });

  it('takes records that are larger than a fetch', async () => {
    await makeTopic(1, { 'max.message.bytes': '4000000' });
    await under().producer.send(topic, [{ key: null, value: Buffer.alloc(3_000_000, 7) }]);
    await produce(1);
    const member = await join();
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1]), SOON);
    expect(member.batches[0]?.records[0]?.value?.length).toBe(3_000_000);
  });

  it('stands still until it is resumed, and keeps its membership while it is paused', async () => {
    await makeTopic(1);
    await produce(3);
    const member = await join((each) => {
      each.isTaking = false;
    });
    // Longer than the session: who does not heartbeat is out.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(member.batches).toEqual([]);
    expect(member.assignments.length).toBe(1);
    member.take();
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2]), SOON);
  });

  it('fetches again what was not resolved', async () => {
    await makeTopic(1);
    await produce(4);
    const member = await join((each) => {
      each.onRecords = (batch, control) => {
        const upTo = each.batches.length === 1 ? 1 : (batch.records.at(-1)?.offset as number);
        control.resolve(upTo);
      };
    });
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2, 3, 2, 3]), SOON);
  });

  it('goes back when it is told to', async () => {
    await makeTopic(1);
    await produce(5);
    const member = await join();
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2, 3, 4]), SOON);
    member.consumer.seek({ topic, partition: 0 }, 3);
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2, 3, 4, 3, 4]), SOON);
  });

  it('goes back also while a batch is being handled, and calls that batch void', async () => {
    await makeTopic(1);
    await produce(3);
    const currents: boolean[] = [];
    const member = await join((each) => {
      each.onRecords = (batch, control) => {
        if (each.batches.length === 1) each.consumer.seek({ topic, partition: 0 }, 1);
        currents.push(control.isCurrent());
        if (control.isCurrent()) control.resolve(batch.records.at(-1)?.offset as number);
      };
    });
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2, 1, 2]), SOON);
    expect(currents).toEqual([false, true]);
  });

  it('commits with metadata, which the admin reads back, without moving what is fetched', async () => {
    await makeTopic(1);
    await produce(3);
    const member = await join();
    await vi.waitFor(() => expect(member.offsets.length).toBe(3), SOON);
    await member.consumer.commit(member.assignment.epoch, [{ topic, partition: 0, offset: 1, metadata: 'sluice;ü' }]);
    expect((await under().admin.committed(groupId, [topic])).get(`${topic}/0`)).toEqual({
      offset: 1,
      metadata: 'sluice;ü',
    });
    await produce(1, 3);
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2, 3]), SOON);
  });

  it('tells of an offset that the log does not hold, and moves and commits nothing by itself', async () => {
    await makeTopic(1);
    await produce(3);
    const member = await join();
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2]), SOON);
    await member.consumer.commit(member.assignment.epoch, [{ topic, partition: 0, offset: 2, metadata: 'kept' }]);
    member.consumer.seek({ topic, partition: 0 }, 1_000);
    await vi.waitFor(() => expect(member.outOfRange).toEqual([0]), SOON);
    await produce(2, 3);
    const kept = { offset: 2, metadata: 'kept' };
    expect((await under().admin.committed(groupId, [topic])).get(`${topic}/0`)).toEqual(kept);
    expect(member.offsets).toEqual([0, 1, 2]);
    member.consumer.seek({ topic, partition: 0 }, 3);
    member.consumer.resume([{ topic, partition: 0 }]);
    await vi.waitFor(() => expect(member.offsets).toEqual([0, 1, 2, 3, 4]), SOON);
    expect((await under().admin.committed(groupId, [topic])).get(`${topic}/0`)).toEqual(kept);
    expect([member.outOfRange, member.failures]).toEqual([[0], []]);
  });

  it('takes no part in the rest of a batch whose epoch is over', async () => {
    await makeTopic(2);
    await produce(3);
    const [entered, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const first = await join((each) => {
      each.onRecords = async (batch, control) => {
        entered.resolve();
        // The group waits for who is in work; a heartbeat tells that it rebalances.
        if (each.batches.length === 1) await heartbeatUntilRejected(control).finally(ended.resolve);
        control.resolve(batch.records.at(-1)?.offset as number);
      };
    });
    await entered.promise;
    const second = await join();
    await ended.promise;
    await vi.waitFor(() => expect(first.assignments.length).toBe(2), SOON);
    // Nothing was resolved: whoever has the partition now reads it whole.
    await vi.waitFor(() => expect([...first.batches.slice(1), ...second.batches].length).toBeGreaterThan(0), SOON);
    expect([...first.batches.slice(1), ...second.batches][0]?.records.map(({ offset }) => offset)).toEqual([0, 1, 2]);
  });

  it('opens an epoch with every join, ends the one before, and refuses commits of it', async () => {
    await makeTopic(4);
    const first = await join();
    expect(first.assignment.partitions.length).toBe(4);
    const { epoch } = first.assignment;
    const second = await join();
    await vi.waitFor(() => expect(first.assignments.length).toBe(2), SOON);
    expect(first.revoked).toEqual([epoch]);
    expect(first.assignment.epoch).toBeGreaterThan(epoch);
    const owned = [...first.assignment.partitions, ...second.assignment.partitions].map(({ partition }) => partition);
    expect(owned.sort()).toEqual([0, 1, 2, 3]);
    const stale = first.consumer.commit(epoch, [{ topic, partition: 0, offset: 0, metadata: '' }]);
    await expect(stale).rejects.toMatchObject({ code: 'DISOWNED' });
    await first.consumer.commit(first.assignment.epoch, [
      { ...(first.assignment.partitions[0] as { topic: string; partition: number }), offset: 0, metadata: 'm' },
    ]);
  });

  it('hands its partitions over when it stops, and commits nothing any more', async () => {
    await makeTopic(2);
    const first = await join();
    const second = await join();
    const { epoch } = first.assignment;
    const since = Date.now();
    await first.consumer.stop(5_000);
    await vi.waitFor(() => expect(second.assignment.partitions.length).toBe(2), SOON);
    expect(Date.now() - since).toBeLessThan(3_000);
    await expect(first.consumer.commit(epoch, [])).rejects.toMatchObject({ code: 'DISOWNED' });
  });

  it('says the bounds of a log', async () => {
    await makeTopic(2);
    await produce(3);
    expect(await under().admin.bounds([topic])).toEqual(
      new Map([
        [`${topic}/0`, { low: 0, high: 3 }],
        [`${topic}/1`, { low: 0, high: 0 }],
      ]),
    );
  });

  it('refuses a record that the topic does not take, by name', async () => {
    await makeTopic(1, { 'max.message.bytes': '1000' });
    const send = under().producer.send(topic, [{ key: null, value: Buffer.alloc(5_000) }]);
    await expect(send).rejects.toMatchObject({ code: 'UNFIT', message: expect.stringContaining(topic) as string });
  });

  it('leaves an existing topic as it is', async () => {
    await makeTopic(3);
    await under().admin.ensureTopics([{ topic, partitions: 1 }]);
    expect((await under().admin.bounds([topic])).size).toBe(3);
  });
}
