/** What a loop of a user's own makes of a record: the envelope decoded, its message as a plain object. */
import type { KafkaMessage } from 'kafkajs';
import { decodeEnvelope } from '../../src/schema/envelope.ts';
import { loadSchemas } from '../../src/schema/load.ts';

export function createJobs(topic: string, hasIds: boolean) {
  const schemas = loadSchemas(['proto']);
  return (partition: number, { value, offset }: Pick<KafkaMessage, 'value' | 'offset'>) => {
    const { type, payload } = decodeEnvelope(value as Buffer);
    const data: unknown = JSON.parse(schemas.codec(type).decodeToJson(payload).json);
    const jobId = `${topic}-${partition}-${offset}`;
    return { name: type, data, opts: { ...(hasIds && { jobId }), attempts: 10, removeOnComplete: true } };
  };
}
