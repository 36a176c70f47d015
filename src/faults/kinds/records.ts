/** Records that cannot become jobs: each has to end as a letter, and its neighbours as if it were not there. */
import type { Poison } from '../load/run-producer.ts';
import type { Kind } from './kind.ts';

const POISONS: Readonly<Record<Poison, string>> = {
  garbage: 'a record whose bytes are no envelope',
  tombstone: 'a record without a value',
  big: 'a record of 2 MiB',
  'wrong-type': 'a record of a message type that nobody knows',
};

export const RECORD_KINDS: readonly Kind[] = Object.entries(POISONS).map(([poison, does]) => ({
  name: `record-${poison}`,
  area: 'records',
  does,
  inject: ({ place }) => place({ do: 'poison', poison: poison as Poison }),
}));
