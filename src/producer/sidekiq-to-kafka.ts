/** By Kafka: each job as a record of its JSON, with its jid; what it does not say, its topic and the bridge do. */
import { textOf } from '../job/json-members.ts';
import { timeText } from '../job/sidekiq-job.ts';
import { createRecordProducer } from '../kafka/record-producer.ts';
import type { Log } from '../log.ts';
import type { SettledSidekiq } from './settings.ts';
import type { CheckedSidekiqJob } from './sidekiq-options.ts';
import type { Transport } from './transport.ts';

export function openSidekiqKafka({ kafka, topic, dialect }: SettledSidekiq, log: Log): Transport<CheckedSidekiqJob> {
  const producer = createRecordProducer(kafka, log);

  function record({ job, jid, createdAtMs, about: { key, headers } }: CheckedSidekiqJob) {
    const members = new Map(job.members)
      .set('jid', JSON.stringify(jid))
      .set('created_at', timeText(createdAtMs, dialect));
    return { key: key ?? null, value: Buffer.from(textOf(members)), ...(headers && { headers }) };
  }

  return {
    send: (jobs) => producer.send(topic, jobs.map(record)),
    close: () => producer.stop(5_000),
  };
}
