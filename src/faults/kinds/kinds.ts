/** Every kind of fault. */
import { BRIDGE_KINDS } from './bridge.ts';
import { COLLECTOR_KINDS } from './collector.ts';
import { HALTING_KINDS } from './halting.ts';
import { KAFKA_KINDS } from './kafka.ts';
import type { Kind } from './kind.ts';
import { RECORD_KINDS } from './records.ts';
import { REDIS_KINDS } from './redis.ts';
import { WORKER_KINDS } from './worker.ts';

export const KINDS: readonly Kind[] = [
  ...BRIDGE_KINDS,
  ...WORKER_KINDS,
  ...REDIS_KINDS,
  ...KAFKA_KINDS,
  ...RECORD_KINDS,
  ...COLLECTOR_KINDS,
  ...HALTING_KINDS,
];
