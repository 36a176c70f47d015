/** What the bridge asks Kafka beside its consumer: the group's commits, the ends of the logs, single records. */
import type { Bounds, KafkaAdmin, RecordReader } from '../../src/kafka/consumer.ts';
import type { BrokerOptions } from './broker.ts';
import type { SimulatedKafka } from './kafka.ts';
import { type PartitionLog, recordOf, TOPIC } from './partition-log.ts';

const ANSWER_MS = 30;
const RETENTION_MS = 604_800_000;

export interface ClientsOptions extends BrokerOptions {
  readonly kafka: SimulatedKafka;
}

export function adminOf({ kafka, logs, chance }: ClientsOptions): KafkaAdmin {
  const boundsOf = ({ end }: PartitionLog, partition: number): [string, Bounds] => [
    `${TOPIC}/${partition}`,
    { low: 0, high: end },
  ];
  const admin: Partial<KafkaAdmin> = {
    committed: () => kafka.allCommitted(),
    async clusterId() {
      await chance.within(ANSWER_MS);
      return 'simulated';
    },
    async bounds() {
      await chance.within(ANSWER_MS);
      return new Map(logs.map(boundsOf));
    },
    settings: async () => new Map([[TOPIC, new Map([['retention.ms', String(RETENTION_MS)]])]]),
  };
  return admin as KafkaAdmin;
}

export function readerOf({ logs, chance }: ClientsOptions): RecordReader {
  async function readable(partition: number, from: number) {
    await chance.within(ANSWER_MS);
    const { entries, end } = logs[partition] as PartitionLog;
    const records = entries.filter(({ kind, offset }) => kind !== 'mark' && offset >= from);
    return { records, end };
  }
  const reader: Partial<RecordReader> = {
    async read(_, partition, from, { maxRecords = Number.POSITIVE_INFINITY } = {}) {
      const { records } = await readable(partition, from);
      return records.slice(0, maxRecords).map(recordOf);
    },
    async next(_, partition, from) {
      const { records, end } = await readable(partition, from);
      return { offset: records[0]?.offset ?? end, isRecord: records.length > 0 };
    },
  };
  return reader as RecordReader;
}
