/** The text of the job that a record becomes, by the bridge's own functions, or the reason why it becomes none. */
import { createDecoder, type Rejection } from '../../bridge/decode.ts';
import { createRouter } from '../../bridge/route.ts';
import type { WorkerSet } from '../../definition/discover.ts';
import type { Job } from '../../job/job.ts';
import { bullOptions } from '../../job/options.ts';
import { leftText } from '../../job/place-sidekiq.ts';
import { enqueuedHead } from '../../job/sidekiq-job.ts';
import type { KafkaRecord } from '../../kafka/consumer.ts';
import type { Schemas } from '../../schema/schemas.ts';
import type { Config } from '../config/schema.ts';

export interface JobText {
  readonly text: string;
  /** How much later it is due. */
  readonly delayMs: number;
}

/** `id`: of the job, by the record's place. */
export type JobOf = (record: KafkaRecord, id: string, nowMs: number) => JobText | Rejection;

/** `workers` say what is not said elsewhere about BullMQ's jobs. */
export function jobTexts(config: Config, topic: string, schemas: Schemas, workers: WorkerSet | undefined): JobOf {
  const settings = config.topics[topic] as Config['topics'][string];
  const decode = createDecoder(settings, schemas);
  const route = createRouter(settings, { ...config, treatment: (type) => workers?.get(type) });
  const { dialect } = config.sidekiq;
  return (record, id, nowMs) => {
    const decoded = decode(record);
    const routed = 'reason' in decoded ? decoded : route(decoded.event, nowMs, id);
    if ('reason' in routed) return routed;
    const { job } = routed;
    const text = settings.target === 'sidekiq' ? leftText(job, enqueuedHead(nowMs, dialect)) : bullText(job, id);
    return { text, delayMs: job.delayMs };
  };
}

/** What a worker gets, in BullMQ's names. */
function bullText(job: Job, id: string): string {
  const { queue, name, timestamp } = job;
  const about = JSON.stringify({ id, queue, name, timestamp, opts: bullOptions(job, true) });
  return `${about.slice(0, -1)},"data":${job.data}}`;
}
