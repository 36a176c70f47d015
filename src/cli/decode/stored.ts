/** A record that lies in Kafka, with the id that its job has. */
import { decodeMetadata } from '../../bridge/metadata.ts';
import { SluiceError } from '../../errors.ts';
import { jobIdPrefix } from '../../job/identity.ts';
import { createKafkaAdmin } from '../../kafka/admin.ts';
import { type KafkaRecord, partitionKey } from '../../kafka/consumer.ts';
import { createRecordReader } from '../../kafka/record-reader.ts';
import { silentLog } from '../../log.ts';
import type { Config } from '../config/schema.ts';
import type { Sample } from './samples.ts';

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export async function storedSample({ kafka }: Config, place: Place): Promise<Sample> {
  const reader = createRecordReader(kafka, silentLog);
  const admin = createKafkaAdmin(kafka, silentLog);
  const { topic, partition, offset } = place;
  const name = `${partitionKey(place)}/${offset}`;
  try {
    const [record] = await reader.read(topic, partition, offset, { maxRecords: 1 });
    if (record?.offset !== offset)
      throw new SluiceError('OUT_OF_RANGE', `${name}: there is no record${nextHint(record)}`);
    const commit = (await admin.committed(kafka.groupId, [topic])).get(partitionKey(place));
    const known = commit && decodeMetadata(commit.offset, commit.metadata);
    const generation = typeof known === 'object' ? known.generation : 0;
    return { name, id: `${jobIdPrefix(topic, generation, partition)}${offset}`, record };
  } finally {
    await Promise.all([reader.stop(1_000), admin.stop(1_000)]);
  }
}

function nextHint(next: KafkaRecord | undefined): string {
  return next === undefined ? '' : `; the next is at ${next.offset}`;
}
