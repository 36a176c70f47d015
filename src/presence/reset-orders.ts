/**
 * How an operator's decision about a halted partition reaches the bridge that holds it: only a member of the group can
 * commit while there is one. An order is for now: it is gone after a minute, when nobody has taken it, so that none
 * acts on a state that it was not made for.
 */
import type { Redis } from '../redis/connection.ts';
import { resetOrderKey } from '../redis/keys.ts';

const ORDER_LIVES_MS = 60_000;

/** What is to be committed. */
export interface ResetOrder {
  readonly offset: number;
  readonly metadata: {
    readonly generation: number;
    readonly fingerprint: string;
    readonly reached: number;
    readonly finished: readonly { readonly start: number; readonly end: number }[];
  };
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Every call rejects when Redis does not answer. */
export interface ResetOrders {
  place(of: Place, order: ResetOrder): Promise<void>;
  read(of: Place): Promise<ResetOrder | undefined>;
  /** Carried out, or taken back; answers whether it was still there. */
  remove(of: Place): Promise<boolean>;
}

export function createResetOrders(redis: Redis, group: string): ResetOrders {
  const key = ({ topic, partition }: Place) => resetOrderKey(group, topic, partition);
  return {
    async place(of, order) {
      await redis.set(key(of), JSON.stringify(order), 'PX', ORDER_LIVES_MS);
    },
    async read(of) {
      const text = await redis.get(key(of));
      return text === null ? undefined : (JSON.parse(text) as ResetOrder);
    },
    async remove(of) {
      return (await redis.del(key(of))) === 1;
    },
  };
}
