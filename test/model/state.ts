/**
 * One state of the model, in plain numbers. A set of offsets is a number whose bit `o` stands for offset `o`. What is
 * only there to judge by, and that no part of the system could see, is marked as such.
 */

/** What a Redis holds of one partition; a snapshot keeps all of it. */
export interface Data {
  /** 0: no such field. */
  owner: number;
  /** -1: no such field. */
  enqueued: number;
  /** An incarnation; 0: no such field. */
  reconciled: number;
  unsettled: number;
  /** Of the topic, as the last batch had it; only where the world's ledger knows it. */
  topicGeneration: number;
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
  /** The topic was made anew: the same offsets, other records. */
  isAnew: boolean;
  /** In the commit's metadata; 0: none yet. */
  topicGeneration: number;
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

/** `asking`: reads Kafka. `claiming`, `committing`, `reconciling`: rules 3, 4, 6. `none`: holds nothing.
 * `halted`: waits for an operator (rule 2). */
export type Phase = 'none' | 'asking' | 'claiming' | 'committing' | 'reconciling' | 'ready' | 'halted';

export interface Bridge {
  /** The group's generation that its client has joined; 0: none. */
  generation: number;
  /** The generation that the partition was assigned in. */
  epoch: number;
  phase: Phase;
  /** Whether Kafka had metadata of ours when it was asked. */
  isKnown: boolean;
  topicGeneration: number;
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
  topicGeneration: number;
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
  /** The topic is deleted and made again, when everything had ended. */
  topicAnew: number;
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
  /** To judge by: what a step has just broken. */
  broken: string;
}
