/** Every kind of fault. */
import { BRIDGE_KINDS } from './bridge.ts';
import { COLLECTOR_KINDS } from './collector.ts';
import { HALTING_KINDS } from './halting.ts';
import { KAFKA_KINDS } from './kafka.ts';
import type { Kind } from './kind.ts';
import { RECORD_KINDS } from './records.ts';
import { REDIS_AWAY_KINDS } from './redis-away.ts';
import { REDIS_LOSS_KINDS } from './redis-loss.ts';
import { REDIS_REFUSAL_KINDS } from './redis-refusal.ts';
import { WORKER_KINDS } from './worker.ts';

export const KINDS: readonly Kind[] = [
  ...BRIDGE_KINDS,
  ...WORKER_KINDS,
  ...REDIS_LOSS_KINDS,
  ...REDIS_AWAY_KINDS,
  ...REDIS_REFUSAL_KINDS,
  ...KAFKA_KINDS,
  ...RECORD_KINDS,
  ...COLLECTOR_KINDS,
  ...HALTING_KINDS,
];
