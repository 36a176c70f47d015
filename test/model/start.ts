/** States as they begin, and copies of them to be changed. */
import type { Bridge, Data, State } from './state.ts';
import type { World } from './world.ts';

const NO_DATA: Data = {
  ...{ owner: 0, enqueued: -1, reconciled: 0, unsettled: 0, topicGeneration: 0, waiting: 0, hosted: 0 },
  ...{ stocked: 0, completed: 0, dead: 0, created: 0 },
};

export function emptyData(): Data {
  return { ...NO_DATA };
}

export const NO_BRIDGE: Bridge = {
  ...{
    generation: 0,
    epoch: 0,
    phase: 'none',
    isKnown: false,
    topicGeneration: 0,
    committed: 0,
    position: 0,
    mustRewind: false,
  },
  ...{ lettered: 0, lettersDue: 0, recorded: 0, shards: [] },
};

/** Two bridges have joined; the first has been assigned the partition and knows it. */
export function initialState({ shards, isKnown, budget }: Pick<World, 'shards' | 'isKnown' | 'budget'>): State {
  return {
    kafka: {
      committed: isKnown ? 0 : -1,
      finished: 0,
      generation: 1,
      owner: 0,
      isAnew: false,
      topicGeneration: 0,
      letters: 0,
    },
    redis: Array.from({ length: shards }, () => ({ incarnation: 1, data: emptyData(), snapshot: undefined })),
    bridges: [
      { ...NO_BRIDGE, generation: 1, epoch: 1, phase: 'asking' },
      { ...NO_BRIDGE, generation: 1 },
    ],
    host: { offset: -1, isRunning: false },
    flight: [],
    budget: { ...budget },
    ...{ done: 0, recorded: 0, broken: '' },
  };
}

export function copyOf(state: State): State {
  return {
    ...state,
    kafka: { ...state.kafka },
    redis: state.redis.map((each) => ({ ...each, data: { ...each.data } })),
    bridges: state.bridges.map((each) => ({ ...each, shards: each.shards.map((shard) => ({ ...shard })) })),
    host: { ...state.host },
    flight: state.flight.map((each) => ({ ...each })),
    budget: { ...state.budget },
  };
}

/** A token that nothing refers to: random in the system, the smallest here, so that equal situations are equal states. */
export function freshToken({ redis, bridges, flight }: State): number {
  const used = new Set([
    ...redis.flatMap(({ data, snapshot }) => [data.owner, snapshot?.owner ?? 0]),
    ...bridges.flatMap(({ shards }) => shards.map(({ token }) => token)),
    ...flight.map(({ token }) => token),
  ]);
  let token = 1;
  while (used.has(token)) token++;
  return token;
}
