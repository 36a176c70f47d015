/** What happens to whole servers while there are faults: a Redis loses everything, starts again, or is away; the group rebalances. */
import { systemClock } from '../../src/clock.ts';
import type { Fault } from './faults.ts';
import type { Settings } from './settings.ts';

const EVERY_MS = 500;

export async function runMishaps({ chance, faults, history, kafka, redis: all }: Settings): Promise<void> {
  while (!faults.areOver) {
    await systemClock.sleep(EVERY_MS);
    const redis = chance.oneOf(all);
    const partition = chance.oneOf(kafka.partitions);
    const mishap = (fault: Fault, happen: () => void, about = '') => {
      if (!faults.strikes(fault)) return;
      history.tell(`Redis ${redis.name}: ${fault}${about}`);
      happen();
    };
    mishap('flush', () => redis.ledgers.flush());
    mishap('restart', () => redis.ledgers.restart());
    mishap('stolenClaim', () => redis.ledgers.steal(partition), ` of partition ${partition}`);
    mishap('away', () => redis.goAway());
    if (faults.strikes('rebalance')) kafka.rebalance();
  }
}
