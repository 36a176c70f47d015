/**
 * A record in place of one that has left the log while its job was still at work: an envelope made from what the queue
 * kept of it. Data that does not fit its type any more is kept as it is, and can be looked at but not replayed.
 */
import { HISTORY } from '../job/letter.ts';
import type { OutgoingRecord } from '../kafka/consumer.ts';
import type { DeadJobReport } from '../queue/sink.ts';
import { encodeEnvelope } from '../schema/envelope.ts';
import type { Schemas } from '../schema/schemas.ts';

export function rebuild(report: DeadJobReport, schemas: Schemas): OutgoingRecord {
  const { about, data } = report;
  const value = envelopeOf(report, schemas);
  return {
    key: about.key ?? null,
    value: value ?? Buffer.from(data),
    headers: { ...about.headers, [HISTORY.rebuilt]: value === undefined ? 'data' : 'true' },
  };
}

function envelopeOf({ queue, name, data, about, createdAt }: DeadJobReport, schemas: Schemas): Buffer | undefined {
  try {
    const codec = schemas.codec(name);
    const payload = codec.encode(codec.fromJson(JSON.parse(data)));
    return Buffer.from(encodeEnvelope({ ...about, type: name, payload, queue, createdAt }));
  } catch {
    return undefined;
  }
}
