/**
 * Answers a consumer's fetches: with records from a little before the asked offset on, as those of a compressed batch are,
 * and with marks of transactions among them, which the client has to pass over.
 */
import kafkajs from 'kafkajs';
import type { Chance } from './chance.ts';
import type { Faults } from './faults.ts';
import type { History } from './history.ts';
import { type Entry, type PartitionLog, recordOf, TOPIC } from './partition-log.ts';

const FETCH_MS = 60;
const NOTHING_MS = 250;
const MOST_RECORDS = 60;
const MOST_BEFORE = 5;

export interface BrokerOptions {
  readonly logs: readonly PartitionLog[];
  readonly history: History;
  readonly chance: Chance;
  readonly faults: Faults;
}

interface FetchRequest {
  readonly topics: readonly {
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string }[];
  }[];
}

export class Broker {
  readonly #options: BrokerOptions;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  async fetch({ topics }: FetchRequest) {
    const { chance, faults } = this.#options;
    await chance.within(FETCH_MS);
    if (faults.strikes('lostFetch')) throw connectionClosed();
    const asked = topics.flatMap(({ partitions }) => partitions);
    const partitions = asked.map(({ partition, fetchOffset }) => this.#read(partition, Number(fetchOffset)));
    if (partitions.every(({ messages }) => messages.length === 0)) await chance.within(NOTHING_MS);
    return { responses: [{ topicName: TOPIC, partitions }] };
  }

  #read(partition: number, from: number) {
    const { logs, history, chance } = this.#options;
    const log = logs[partition] as PartitionLog;
    if (from > log.end) history.violated(`partition ${partition}: a fetch from ${from}, beyond its end`, partition);
    const at = log.indexOf(from);
    const before = chance.below(MOST_BEFORE);
    const isEnd = at === log.entries.length;
    const found = isEnd ? [] : log.entries.slice(Math.max(0, at - before), at + 1 + chance.below(MOST_RECORDS));
    return { partition, highWatermark: String(log.end), abortedTransactions: [], messages: found.map(toMessage) };
  }
}

/** In the form that KafkaJS has after decoding. */
function toMessage(entry: Entry) {
  const { offset, timestamp, ...record } = recordOf(entry);
  const isControlRecord = entry.kind === 'mark';
  return { ...record, offset: String(offset), timestamp: String(timestamp), isControlRecord, batchContext: {} };
}

export function connectionClosed(): Error {
  return Object.assign(new kafkajs.KafkaJSConnectionError('connection closed'), {
    name: 'KafkaJSConnectionClosedError',
  });
}
