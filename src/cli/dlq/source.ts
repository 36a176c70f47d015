/** What the dead-letter commands read from and write with; closed with the command, however it ends. */
import { createKafkaAdmin } from '../../kafka/admin.ts';
import type { KafkaAdmin, RecordReader, TransactionalProducer } from '../../kafka/consumer.ts';
import { createRecordReader } from '../../kafka/record-reader.ts';
import { createTransactionalProducer } from '../../kafka/transactional-producer.ts';
import { silentLog } from '../../log.ts';
import type { Config } from '../config/schema.ts';

export interface LetterAccess {
  readonly reader: RecordReader;
  readonly admin: KafkaAdmin;
  readonly writer: (letterTopic: string) => TransactionalProducer;
}

export async function withLetters<T>({ kafka }: Config, use: (access: LetterAccess) => Promise<T>): Promise<T> {
  const reader = createRecordReader(kafka, silentLog);
  const admin = createKafkaAdmin(kafka, silentLog);
  // One name for each dead-letter topic: whoever takes it ends what another left undecided there.
  const writer = (topic: string) => createTransactionalProducer(kafka, `sluice~${topic}`, silentLog);
  try {
    return await use({ reader, admin, writer });
  } finally {
    await Promise.all([reader.stop(1_000), admin.stop(1_000)]);
  }
}
