/** Above the ceiling: more of Redis's memory in use than the gate's threshold and what the bridges hold in flight. */
import type { Line } from '../history.ts';
import type { Finding } from './findings.ts';

const BATCHES_IN_FLIGHT = 2;
const BATCH_BYTES = 1_048_576;

export function findAboveCeiling(history: readonly Line[], closeAtBytes: number): Finding[] {
  return history.flatMap((line): Finding[] => {
    if (line.is !== 'memory') return [];
    const ceiling = closeAtBytes + Math.max(1, line.bridges) * BATCHES_IN_FLIGHT * BATCH_BYTES;
    if (line.usedBytes <= ceiling) return [];
    return [{ what: `${line.usedBytes} bytes in use, ${line.usedBytes - ceiling} above the ceiling`, lines: [line] }];
  });
}
