/** The worlds that are searched: one for each rule, in which it is needed, and those in which all rules must hold. */
import type { Rule, WorldOptions } from './world.ts';

/** Small enough to be searched while one waits, large enough to break when the rule is off. */
export const NEEDED_IN: Record<Exclude<Rule, 'incarnationCheck'>, WorldOptions> = {
  haltWhenForgotten: { records: 1, budget: { topicAnew: 1 } },
  randomToken: { records: 1, isKnown: true, budget: { rebalance: 1, flush: 1 } },
  commitBeforeUse: { records: 1, isKnown: true, budget: { rebalance: 1, restart: 1 } },
  reconcile: { records: 1, budget: { restore: 1 } },
  reconcileThere: { records: 1, shards: 2, isKnown: true, budget: { restore: 1 } },
  dropFinished: { budget: { restart: 1 } },
  dropFinishedThere: { shards: 2, isKnown: true, budget: { flush: 1 } },
  ownerCheck: { records: 1, isKnown: true, budget: { rebalance: 1, flush: 1 } },
  rewindOnLoss: { budget: { flush: 1 } },
  ignoreEarlier: { isKnown: true, hasLateReplies: true, budget: { flush: 2 } },
  expectedCheck: { budget: { lostRequest: 1 } },
  resendInOrder: { records: 3, budget: { lostRequest: 1 } },
  ledgerSkip: { records: 1, budget: { lostReply: 1 } },
  advanceEveryShard: { shards: 2 },
  letterFirst: { rejected: 1 },
  checkedLook: { budget: { flush: 1 } },
  letterBeforeRemoval: { budget: { jobDies: 1 } },
  commitWhileOwned: { records: 1, isKnown: true, budget: { rebalance: 1, restart: 1 } },
  commitLowest: {},
  metadata: { batchRecords: 2, isKnown: true, budget: { restart: 1, rebalance: 1 } },
  poll: { records: 1, budget: { restore: 1 } },
  guard: { records: 1, budget: { restore: 1 } },
};

const EVERY_FAULT = {
  ...{ flush: 1, restart: 1, restore: 2, bridgeCrash: 1, hostCrash: 1, rebalance: 2, lostRequest: 2, lostReply: 2 },
  ...{ lostCommitReply: 1, jobDies: 1, jobRetried: 1, jobRemoved: 1 },
};

/** Searched with all rules on; the first ones to the end, later ones as far as there is time. */
export const ALL_RULES: Record<string, WorldOptions> = {
  'nothing goes wrong': { records: 3, gaps: 2, shards: 2 },
  'records that are no jobs': { records: 3, rejected: 2, budget: { flush: 1, lostRequest: 1 } },
  'a lost request and a flush': { budget: { flush: 1, lostRequest: 1 } },
  'a stock worker and an older state': { records: 3, gaps: 2, workers: ['stock'], budget: { restore: 1 } },
  'a job that dies, and an older state': { budget: { restore: 1, jobDies: 1, jobRetried: 1 } },
  'a host that is killed, a restart': { budget: { restart: 1, hostCrash: 1, jobRemoved: 1 } },
  'a zombie and a flush': { records: 1, budget: { rebalance: 1, flush: 1 } },
  'a zombie and an older state': { records: 1, budget: { rebalance: 1, restore: 1 } },
  'a crash and an empty restart': { records: 1, budget: { bridgeCrash: 1, restart: 1, lostReply: 1 } },
  'two shards, one of them flushed': { shards: 2, budget: { flush: 1 } },
  'commits whose answer is lost': { records: 1, budget: { lostCommitReply: 2, rebalance: 1, restart: 1 } },
  'a topic made anew': { budget: { topicAnew: 1, bridgeCrash: 1 } },
  'late replies': { hasLateReplies: true, budget: { flush: 1, restart: 1 } },
  'a zombie, two records, an older state': { budget: { rebalance: 1, restore: 1 } },
  'two losses, two rebalances': { records: 1, budget: { rebalance: 2, restore: 1, flush: 1 } },
  'two shards, a crash, an older state': { shards: 2, budget: { bridgeCrash: 1, restore: 1 } },
  'late replies and a zombie': { hasLateReplies: true, budget: { rebalance: 1, flush: 1 } },
};

/** Too large to be searched; for random walks. */
export const LARGE: Record<string, WorldOptions> = {
  'one shard': { records: 6, gaps: 4, rejected: 8, batchRecords: 2, workers: ['host'], budget: EVERY_FAULT },
  'one shard, every worker': { records: 5, batchRecords: 2, workers: ['host', 'stock'], budget: EVERY_FAULT },
  'two shards': { records: 6, gaps: 2, rejected: 16, shards: 2, batchRecords: 3, budget: EVERY_FAULT },
  'late replies': { records: 4, shards: 2, batchRecords: 2, hasLateReplies: true, budget: EVERY_FAULT },
};
