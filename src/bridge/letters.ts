/**
 * Dead letters: records that cannot become a job, and jobs whose attempts are exhausted, with the reason and their
 * origin in headers. A letter counts once Kafka has acked it; a refused one throws LETTER_REFUSED and its
 * partition waits.
 */
import { messageOf, SluiceError } from '../errors.ts';
import type { KafkaRecord, OutgoingRecord, RecordProducer, TopicPartition } from '../kafka/consumer.ts';
import type { Metrics } from '../metrics.ts';
import type { DeadJob, DeadJobReport } from '../queue/sink.ts';
import type { Rejection } from './decode.ts';

/** Larger than what a topic takes by default, so that a letter with its headers fits where its record did. */
export const LETTER_BYTES = 16_777_216;
/** Kafka keeps headers with the record; long texts are cut. */
const HEADER_CHARACTERS = 8_000;

export function letterTopic(topic: string): string {
  return `${topic}.dlq`;
}

export interface RejectedRecord {
  readonly record: KafkaRecord;
  readonly rejection: Rejection;
}

export interface Letters {
  /** Resolves when Kafka has acked a letter for each. */
  reject(of: TopicPartition, rejected: readonly RejectedRecord[]): Promise<void>;
  bury(of: TopicPartition, dead: DeadJob, report: DeadJobReport): Promise<void>;
}

export function createLetters(producer: RecordProducer, metrics: Metrics): Letters {
  async function send(topic: string, letters: readonly OutgoingRecord[]): Promise<void> {
    try {
      await producer.send(letterTopic(topic), letters);
    } catch (error) {
      throw new SluiceError(
        'LETTER_REFUSED',
        `the dead-letter topic ${letterTopic(topic)} takes no letter: ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
    for (const { headers } of letters)
      metrics.recordsDeadLettered.inc({ topic, reason: headers?.['sluice.reason'] ?? '' });
  }

  return {
    async reject(of, rejected) {
      if (rejected.length > 0)
        await send(
          of.topic,
          rejected.map((each) => rejectionLetter(of, each)),
        );
    },
    async bury(of, dead, report) {
      await send(of.topic, [deadJobLetter(of, dead, report)]);
    },
  };
}

function rejectionLetter(of: TopicPartition, { record, rejection }: RejectedRecord): OutgoingRecord {
  return {
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      ...origin(of, record.offset),
      'sluice.timestamp': String(record.timestamp),
      'sluice.reason': rejection.reason,
      'sluice.error': cut(rejection.error),
    },
  };
}

function deadJobLetter(of: TopicPartition, { offset, queue }: DeadJob, report: DeadJobReport): OutgoingRecord {
  return {
    key: null,
    value: Buffer.from(report.data),
    headers: {
      ...origin(of, offset),
      'sluice.reason': 'dead',
      'sluice.error': cut(report.reason),
      'sluice.stack': cut(report.stack),
      'sluice.attempts': String(report.attempts),
      'sluice.queue': queue,
      'sluice.message': report.name,
    },
  };
}

function origin({ topic, partition }: TopicPartition, offset: number): Record<string, string> {
  return { 'sluice.topic': topic, 'sluice.partition': String(partition), 'sluice.offset': String(offset) };
}

function cut(text: string): string {
  return text.length <= HEADER_CHARACTERS ? text : `${text.slice(0, HEADER_CHARACTERS)}...`;
}
