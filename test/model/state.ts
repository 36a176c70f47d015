/**
 * One state of the model, in plain numbers. A set of offsets is a number whose bit `o` stands for offset `o`. What is
 * only there to judge by, and that no part of the system could see, is marked as such.
 */

import type { World } from './world.ts';

/** What a Redis holds of one partition; a snapshot keeps all of it. */
export interface Data {
  /** 0: no such field. */
  owner: number;
  /** -1: no such field. */
  enqueued: number;
  /** An incarnation; 0: no such field. */
  reconciled: number;
  unsettled: number;
  waiting: number;
  /** Run by Sluice's own host. */
  hosted: number;
  /** Run by a stock worker. */
  stocked: number;
  completed: number;
  dead: number;
  /** To judge by: jobs ever created in the history that leads here. A restore brings back the snapshot's. */
  created: number;
}

export interface Redis {
  incarnation: number;
  data: Data;
  snapshot: Data | undefined;
}

/** The partition in Kafka, and its group. */
export interface Kafka {
  /** -1: nothing committed. */
  committed: number;
  /** Finished offsets in the commit's metadata. */
  finished: number;
  generation: number;
  /** The bridge that the partition is assigned to. */
  owner: number;
  /** Dead-letter topic. */
  letters: number;
}

/** A partition's ledger in one shard, as its bridge believes it to be. */
export interface HeldShard {
  token: number;
  incarnation: number;
  isReconciled: boolean;
  acked: number;
  sent: number;
  finished: number;
  /** Dead jobs that a look has told of. */
  dead: number;
}

/** `asking`: reads Kafka. `claiming`, `committing`, `reconciling`: rules 3, 4, 6. `none`: holds nothing. */
export type Phase = 'none' | 'asking' | 'claiming' | 'committing' | 'reconciling' | 'ready';

export interface Bridge {
  /** The group's generation that its client has joined; 0: none. */
  generation: number;
  /** The generation that the partition was assigned in. */
  epoch: number;
  phase: Phase;
  committed: number;
  position: number;
  /** A batch failed: what was sent is taken back once nothing of it is under way. */
  mustRewind: boolean;
  /** Letters written in this assignment. */
  lettered: number;
  /** Letters put off, by a bridge that breaks rule 11. */
  lettersDue: number;
  /** Finished offsets in the last accepted commit. */
  recorded: number;
  shards: HeldShard[];
}

/** A script on its way to a shard (status ''), or its reply on the way back. */
export interface Message {
  /** The bridge that waits for the reply; -1: nobody does any more. */
  from: number;
  shard: number;
  kind: 'batch' | 'look' | 'claim';
  token: number;
  incarnation: number;
  expected: number;
  last: number;
  jobs: number;
  status: '' | 'ok' | 'disowned' | 'reborn' | 'behind';
  enqueued: number;
  unsettled: number;
  dead: number;
}

/** Sluice's own host: one job at a time. */
export interface Host {
  /** -1: none. */
  offset: number;
  /** Past its guard. */
  isRunning: boolean;
}

/** How often each thing that need not happen may still happen. */
export interface Budget {
  /** FLUSHALL: the incarnation stays. */
  flush: number;
  /** A restart without data. */
  restart: number;
  /** A restart with the snapshot's data, or a failover to a stale replica. */
  restore: number;
  bridgeCrash: number;
  hostCrash: number;
  rebalance: number;
  /** The sender has given up on a script; it runs later, or never. */
  lostRequest: number;
  lostReply: number;
  lostCommitReply: number;
  jobDies: number;
  /** From a dashboard: the dead job waits again. */
  jobRetried: number;
  jobRemoved: number;
}

export interface State {
  kafka: Kafka;
  redis: Redis[];
  bridges: Bridge[];
  host: Host;
  flight: Message[];
  budget: Budget;
  /** To judge by: completed, or removed by somebody. */
  done: number;
  /** To judge by: listed as finished by a commit that Kafka accepted. */
  recorded: number;
  /** To judge by: what was in `recorded` when Redis was lost. */
  recordedBeforeLoss: number;
  /** To judge by: what a step has just broken. */
  broken: string;
}

const NO_DATA: Data = {
  ...{ owner: 0, enqueued: -1, reconciled: 0, unsettled: 0, waiting: 0, hosted: 0 },
  ...{ stocked: 0, completed: 0, dead: 0, created: 0 },
};

export function emptyData(): Data {
  return { ...NO_DATA };
}

export const NO_BRIDGE: Bridge = {
  ...{ generation: 0, epoch: 0, phase: 'none', committed: 0, position: 0, mustRewind: false },
  ...{ lettered: 0, lettersDue: 0, recorded: 0, shards: [] },
};

/** Two bridges have joined; the first has been assigned the partition and knows it. */
export function initialState({ shards, isKnown, budget }: Pick<World, 'shards' | 'isKnown' | 'budget'>): State {
  return {
    kafka: { committed: isKnown ? 0 : -1, finished: 0, generation: 1, owner: 0, letters: 0 },
    redis: Array.from({ length: shards }, () => ({ incarnation: 1, data: emptyData(), snapshot: undefined })),
    bridges: [
      { ...NO_BRIDGE, generation: 1, epoch: 1, phase: 'asking' },
      { ...NO_BRIDGE, generation: 1 },
    ],
    host: { offset: -1, isRunning: false },
    flight: [],
    budget: { ...budget },
    ...{ done: 0, recorded: 0, recordedBeforeLoss: 0, broken: '' },
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
