/** What the offset commands ask; closed with the command, however it ends. */
import { createKafkaAdmin } from '../../kafka/admin.ts';
import { silentLog } from '../../log.ts';
import { connect, disconnect } from '../../redis/connection.ts';
import type { Config } from '../config/schema.ts';
import type { OffsetsAccess } from './facts.ts';

export async function withOffsets<T>(config: Config, use: (access: OffsetsAccess) => Promise<T>): Promise<T> {
  const admin = createKafkaAdmin(config.kafka, silentLog);
  const redis = new Map(
    Object.entries(config.redis).map(([name, settings]) => [name, connect(name, settings, 'command', silentLog)]),
  );
  // Each command's own error says that a Redis is away.
  for (const each of redis.values()) each.on('error', () => undefined);
  try {
    return await use({ config, admin, redis });
  } finally {
    await Promise.all([...redis.values()].map(disconnect));
    await admin.stop(1_000);
  }
}
