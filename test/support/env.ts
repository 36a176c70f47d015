/** The environment of a `sluice` process in a test: its own topic, group and Redis. */
import type { TestTopic } from './kafka.ts';
import type { TestRedis } from './redis.ts';
import { ROOT } from './sluice.ts';

/** `workers` is a folder under test/flow/fixtures. */
export function sluiceEnv(topic: TestTopic, redis: TestRedis, workers: string, topics: object = { [topic.topic]: {} }) {
  return {
    KAFKA_BROKERS: topic.kafka.brokers.join(','),
    REDIS_URL: redis.url,
    SLUICE_KAFKA__GROUP_ID: topic.groupId,
    SLUICE_KAFKA__SESSION_TIMEOUT_MS: '3000',
    SLUICE_TOPICS: JSON.stringify(topics),
    SLUICE_WORKERS: `${ROOT}test/flow/fixtures/${workers}`,
    SLUICE_PROTO: `${ROOT}proto`,
  };
}
