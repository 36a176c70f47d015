/**
 * A state as a number of 53 bits, to remember millions of them. Two states that differ share one with a chance of
 * n^2 / 2^54 over n states: 1 in 180 for ten million. What is under way has no order here, so its numbers are added
 * up. Field by field and not by a walk over the object: this is where the search spends its time.
 */
import type { Bridge, Budget, Data, HeldShard, Message, State } from './state.ts';

const PRIME_A = 0x9e3779b1;
const PRIME_B = 0x85ebca77;

/** Two halves, mixed on. */
let a = 0;
let b = 0;

export function fingerprintOf({ kafka, redis, bridges, host, flight, budget, ...judged }: State): number {
  let low = 0;
  let high = 0;
  for (const message of flight) {
    begin();
    addMessage(message);
    low = (low + a) | 0;
    high = (high + b) | 0;
  }
  begin();
  add(low);
  add(high);
  add(kafka.committed);
  add(kafka.finished);
  add(kafka.generation);
  add(kafka.owner);
  add(Number(kafka.isAnew));
  add(kafka.topicGeneration);
  add(kafka.letters);
  for (const { incarnation, data, snapshot } of redis) {
    add(incarnation);
    addData(data);
    if (snapshot === undefined) add(-7);
    else addData(snapshot);
  }
  for (const bridge of bridges) addBridge(bridge);
  add(host.offset);
  add(Number(host.isRunning));
  addBudget(budget);
  add(judged.done);
  add(judged.recorded);
  return (b >>> 11) * 4294967296 + (a >>> 0);
}

function begin(): void {
  a = 1;
  b = 2;
}

function add(number: number): void {
  a = Math.imul(a ^ (number + 11), PRIME_A);
  a ^= a >>> 15;
  b = Math.imul(b ^ (number + 13), PRIME_B);
  b ^= b >>> 13;
}

function addData(data: Data): void {
  add(data.owner);
  add(data.enqueued);
  add(data.reconciled);
  add(data.unsettled);
  add(data.topicGeneration);
  add(data.waiting);
  add(data.hosted);
  add(data.stocked);
  add(data.completed);
  add(data.dead);
  add(data.created);
}

const PHASES = ['none', 'asking', 'claiming', 'committing', 'reconciling', 'ready', 'halted'];

function addBridge(bridge: Bridge): void {
  add(bridge.generation);
  add(bridge.epoch);
  add(PHASES.indexOf(bridge.phase));
  add(Number(bridge.isKnown));
  add(bridge.topicGeneration);
  add(bridge.committed);
  add(bridge.position);
  add(Number(bridge.mustRewind));
  add(bridge.lettered);
  add(bridge.lettersDue);
  add(bridge.recorded);
  for (const shard of bridge.shards) addHeld(shard);
  add(-7);
}

function addHeld(held: HeldShard): void {
  add(held.token);
  add(held.incarnation);
  add(Number(held.isReconciled));
  add(held.acked);
  add(held.sent);
  add(held.finished);
  add(held.dead);
}

const KINDS = ['batch', 'look', 'claim'];
const STATUSES = ['', 'ok', 'disowned', 'reborn', 'behind'];

function addMessage(message: Message): void {
  add(message.from);
  add(message.shard);
  add(KINDS.indexOf(message.kind));
  add(message.token);
  add(message.incarnation);
  add(message.expected);
  add(message.last);
  add(message.jobs);
  add(message.topicGeneration);
  add(STATUSES.indexOf(message.status));
  add(message.enqueued);
  add(message.unsettled);
  add(message.dead);
}

function addBudget(budget: Budget): void {
  add(budget.flush);
  add(budget.restart);
  add(budget.restore);
  add(budget.bridgeCrash);
  add(budget.hostCrash);
  add(budget.rebalance);
  add(budget.lostRequest);
  add(budget.lostReply);
  add(budget.lostCommitReply);
  add(budget.topicAnew);
  add(budget.jobDies);
  add(budget.jobRetried);
  add(budget.jobRemoved);
}
