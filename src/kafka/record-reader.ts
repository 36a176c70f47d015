/**
 * Reads records at given positions, beside every consumer group: for letters, and for commands that look into a log.
 * What was committed is read, in order; what transactions took back and their marks are passed by. Rejects
 * OUT_OF_RANGE for an offset that the log does not hold, UNFIT for a partition that is not there, UNREACHABLE when no
 * broker answers in time.
 */
import type { Broker, Cluster } from 'kafkajs';
import { systemClock } from '../clock.ts';
import { SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { errorType, kafkaError } from './client.ts';
import { type ClientWithCluster, clientWithCluster } from './cluster.ts';
import { registerCodecs } from './codecs.ts';
import { committedOnly, type FetchedMessage, type FetchedPartition } from './committed-only.ts';
import type { KafkaConfig } from './config.ts';
import { type KafkaRecord, partitionKey, type ReadLimits, type RecordReader } from './consumer.ts';
import { toRecord } from './from-client.ts';

const READ_WITHIN_MS = 20_000;
const TRIES = 4;
const TRY_AGAIN_MS = 250;
const MOST_RECORDS = 1_000;
const MOST_BYTES = 1_048_576;

interface Read {
  readonly records: KafkaRecord[];
  /** Below it every transaction is decided: nothing will appear there any more. */
  readonly end: number;
}

interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
}

export function createRecordReader(config: KafkaConfig, log: Log, readWithinMs = READ_WITHIN_MS): RecordReader {
  registerCodecs();
  let connected: Promise<ClientWithCluster> | undefined;
  let isStopped = false;

  async function connect(): Promise<ClientWithCluster> {
    const made = clientWithCluster(config, log);
    try {
      await made.client.connect();
      return made;
    } catch (error) {
      void made.client.disconnect().catch(() => undefined);
      throw error;
    }
  }

  /** What a client knows of topics that were deleted meanwhile fails its every request: the next call has a new one. */
  function abandon(): void {
    const abandoned = connected;
    connected = undefined;
    void abandoned?.then(({ client }) => client.disconnect()).catch(() => undefined);
  }

  async function fetchOnce(at: Position, maxBytes: number): Promise<FetchedPartition> {
    if (isStopped) throw new SluiceError('STOPPED', 'the reader is closed');
    connected ??= connect();
    const { cluster } = await connected;
    const broker = await leaderOf(cluster, at);
    const { topic, partition, from } = at;
    const { responses } = (await broker.fetch({
      // At the end of the log the answer comes at once, and is empty.
      minBytes: 0,
      maxWaitTime: 0,
      maxBytes,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(from), maxBytes }] }],
    })) as { responses: { partitions: FetchedPartition[] }[] };
    return responses[0]?.partitions[0] as FetchedPartition;
  }

  /** A leader that moved, and a connection that broke, are found out by the next try. */
  async function fetchFrom(at: Position, maxBytes: number): Promise<FetchedPartition> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await fetchOnce(at, maxBytes);
      } catch (error) {
        if (errorType(error) === 'OFFSET_OUT_OF_RANGE') throw outOfRange(at);
        abandon();
        if (attempt === TRIES || error instanceof SluiceError) throw error;
        await systemClock.sleep(TRY_AGAIN_MS * attempt);
      }
    }
  }

  /** Goes on where a fetch held nothing that can be told, so that nothing found means the end of the log. */
  async function readFrom(at: Position, maxRecords: number, maxBytes: number): Promise<Read> {
    for (let from = at.from; ; ) {
      const fetched = await fetchFrom({ ...at, from }, maxBytes);
      const records = committedOnly(fetched, from);
      const end = Number(fetched.lastStableOffset);
      if (records.length > 0) return { records: records.slice(0, maxRecords).map(toRecord), end };
      from = nextOf(fetched.messages, from);
      if (from >= end) return { records: [], end: Math.max(at.from, end) };
    }
  }

  async function read(at: Position, { maxRecords = MOST_RECORDS, maxBytes = MOST_BYTES }: ReadLimits): Promise<Read> {
    const what = `reading ${partitionKey(at)} from offset ${at.from}`;
    try {
      const found = await within(readWithinMs, readFrom(at, maxRecords, maxBytes));
      if (found !== undefined) return found;
    } catch (error) {
      throw kafkaError(what, config.brokers, error);
    }
    abandon();
    const where = `Kafka at ${config.brokers.join(', ')}`;
    throw new SluiceError('UNREACHABLE', `${what}: ${where} did not answer within ${readWithinMs} ms`);
  }

  return {
    async start() {
      connected ??= connect();
      await connected.catch((error: unknown) => {
        abandon();
        throw kafkaError('connecting', config.brokers, error);
      });
    },

    async stop(deadlineMs) {
      isStopped = true;
      const closing = connected?.then(({ client }) => client.disconnect()) ?? Promise.resolve();
      await within(
        deadlineMs,
        closing.catch(() => undefined),
      );
    },

    read: async (topic, partition, from, limits = {}) => (await read({ topic, partition, from }, limits)).records,

    async next(topic, partition, from) {
      const { records, end } = await read({ topic, partition, from }, { maxRecords: 1 });
      return { offset: records[0]?.offset ?? end, isRecord: records.length > 0 };
    },
  };
}

async function leaderOf(cluster: Cluster, { topic, partition }: Position): Promise<Broker> {
  await cluster.addTargetTopic(topic);
  const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  if (leader === undefined) {
    throw new SluiceError('UNFIT', `${partitionKey({ topic, partition })}: Kafka has no such partition`);
  }
  return cluster.findBroker({ nodeId: leader });
}

/** A batch that compaction left without a record tells no offset; it is passed one offset at a time. */
function nextOf(messages: readonly FetchedMessage[], from: number): number {
  return Math.max(from, Number(messages.at(-1)?.offset ?? from)) + 1;
}

function outOfRange({ topic, partition, from }: Position): SluiceError {
  return new SluiceError('OUT_OF_RANGE', `${partitionKey({ topic, partition })}: the log does not hold offset ${from}`);
}
