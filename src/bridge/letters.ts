/**
 * Dead letters: records that cannot become a job, and jobs whose attempts are exhausted, each as the record that it
 * was, with the reason and its origin in headers. A letter counts once Kafka has acked it; a refused one throws
 * LETTER_REFUSED and its partition waits.
 */
import type { Clock } from '../clock.ts';
import { messageOf, SluiceError } from '../errors.ts';
import { eventIdOf } from '../job/event-id.ts';
import { jobIdPrefix } from '../job/identity.ts';
import { HISTORY, LETTER, letterTopic } from '../job/letter.ts';
import type { KafkaRecord, OutgoingRecord, RecordProducer, TopicPartition } from '../kafka/consumer.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { DeadJob, DeadJobReport } from '../queue/sink.ts';
import type { Schemas } from '../schema/schemas.ts';
import { createSeldom } from '../seldom.ts';
import type { Rejection } from './decode.ts';
import type { Origins } from './origins.ts';
import { rebuild } from './rebuild.ts';

/** Larger than what a topic takes by default, so that a letter with its headers fits where its record did. */
export const LETTER_BYTES = 16_777_216;
/** Kafka keeps headers with the record; long texts are cut. */
const HEADER_CHARACTERS = 8_000;

export interface RejectedRecord {
  readonly record: KafkaRecord;
  readonly rejection: Rejection;
}

/** Where the records of letters come from. */
export interface LetterOrigin extends TopicPartition {
  readonly generation: number;
}

export interface Letters {
  /** Resolves when Kafka has acked a letter for each. */
  reject(of: LetterOrigin, rejected: readonly RejectedRecord[]): Promise<void>;
  /** The letter holds the record itself, read again from its log. Rejects UNREACHABLE when that cannot be asked. */
  bury(of: LetterOrigin, dead: DeadJob, report: DeadJobReport): Promise<void>;
}

export interface LettersOptions {
  readonly producer: RecordProducer;
  readonly origins: Origins;
  readonly schemas: Schemas;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

export function createLetters({ producer, origins, schemas, log, metrics, clock }: LettersOptions): Letters {
  const seldom = createSeldom(clock);

  async function send(topic: string, letters: readonly OutgoingRecord[]): Promise<void> {
    try {
      await producer.send(letterTopic(topic), letters);
    } catch (error) {
      const text = `the dead-letter topic ${letterTopic(topic)} takes no letter: ${messageOf(error)}`;
      throw new SluiceError('LETTER_REFUSED', text, { cause: error });
    }
    for (const { headers = {} } of letters) tell(headers);
  }

  /** One line in a while for each topic and reason; the letters themselves hold them all. */
  function tell(headers: Readonly<Record<string, string>>): void {
    const [topic = '', reason = ''] = [headers[LETTER.topic], headers[LETTER.reason]];
    metrics.recordsDeadLettered.inc({ topic, reason });
    const passedOver = seldom(`${reason} ${topic}`);
    if (passedOver === undefined) return;
    const [partition, offset, error] = [headers[LETTER.partition], headers[LETTER.offset], headers[LETTER.error]];
    log.warn({ topic, partition, offset, reason, error, passedOver }, 'a dead letter was written');
  }

  return {
    async reject(of, rejected) {
      if (rejected.length === 0) return;
      await send(
        of.topic,
        rejected.map((each) => rejectionLetter(of, each)),
      );
    },

    async bury(of, dead, report) {
      const record = await origins.find(of, dead.offset);
      const original = record === undefined ? rebuild(report, schemas) : asItWas(record);
      await send(of.topic, [deadJobLetter(of, dead, report, original)]);
    },
  };
}

function asItWas({ key, value, headers, timestamp }: KafkaRecord): OutgoingRecord {
  return { key, value, headers: { ...headers, [LETTER.timestamp]: String(timestamp) } };
}

function rejectionLetter(of: LetterOrigin, { record, rejection }: RejectedRecord): OutgoingRecord {
  const { headers, ...original } = asItWas(record);
  return {
    ...original,
    headers: {
      ...headers,
      ...originHeaders(of, record.offset),
      [LETTER.reason]: rejection.reason,
      [LETTER.error]: cut(rejection.error),
    },
  };
}

function deadJobLetter(
  of: LetterOrigin,
  { offset }: DeadJob,
  { queue, about, name, reason, stack, attempts, createdAt, failedAt }: DeadJobReport,
  { headers, ...original }: OutgoingRecord,
): OutgoingRecord {
  const id = `${jobIdPrefix(of.topic, of.generation, of.partition)}${offset}`;
  return {
    ...original,
    headers: {
      ...headers,
      ...originHeaders(of, offset),
      [HISTORY.eventId]: about.id ?? eventIdOf({ queue, id }),
      [LETTER.reason]: 'dead',
      [LETTER.error]: cut(reason),
      ...(hasFrames(stack) && { [LETTER.stack]: cut(stack) }),
      [LETTER.attempts]: String(attempts),
      [LETTER.queue]: queue,
      [LETTER.message]: name,
      ...(createdAt > 0 && { [LETTER.created]: String(createdAt) }),
      ...(failedAt > 0 && { [LETTER.failed]: String(failedAt) }),
    },
  };
}

function originHeaders({ topic, partition, generation }: LetterOrigin, offset: number): Record<string, string> {
  return {
    [LETTER.topic]: topic,
    [LETTER.partition]: String(partition),
    [LETTER.offset]: String(offset),
    [LETTER.generation]: String(generation),
  };
}

/** A job that was told to die has no place in the code to tell of. */
function hasFrames(stack: string): boolean {
  return /^\s+at /m.test(stack);
}

function cut(text: string): string {
  return text.length <= HEADER_CHARACTERS ? text : `${text.slice(0, HEADER_CHARACTERS)}...`;
}
