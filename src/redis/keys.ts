/**
 * Every key of ours in Redis. All lie under `sluice:`, outside the prefix of any queue library, because those
 * delete keys that they do not know under their own. In a Redis Cluster, `tag` puts the ledger into the hash
 * slot of the queues that it fences.
 */

const ROOT = 'sluice';

/** What the ledger of one partition is kept for. */
export interface LedgerName {
  /** Id of the Kafka cluster. */
  readonly cluster: string;
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
}

/**
 * Base of the ledger's keys: the hash {owner, enqueued, reconciled} itself, `:c` the sorted set of chunks that
 * hold unsettled offsets (members `<chunk>:<queue>`, score the chunk), `:u:<chunk>:<queue>` a chunk's offsets mod 512,
 * `:d` the chunks in which Sluice's hosts have finished something since the bridge last asked. Of Sidekiq's jobs, whose
 * offsets lie under the one name `sidekiq` whatever their queues: `:x` a hash of those that have died, offset to the
 * job's JSON, and `:m` a set of those that were put back or are to be tried again since the bridge last looked for lost ones.
 */
export function ledgerKey(name: LedgerName, tag = ''): string {
  const root = tag === '' ? ROOT : `${ROOT}:{${tag}}`;
  return `${root}:ledger:${name.cluster}:${name.group}:${name.topic}:${name.partition}`;
}

/** With `:<prefix of job ids>`, the set of the ledgers that jobs of this prefix may be entered in: one a consumer group. */
export function sourcesKey(tag = ''): string {
  return tag === '' ? `${ROOT}:sources` : `${ROOT}:{${tag}}:sources`;
}

/** Ids of those that beat, scored by their last beat. */
export function beaconsKey(group: string): string {
  return `${ROOT}:alive:${group}`;
}

export function beaconKey(group: string, id: string): string {
  return `${ROOT}:alive:${group}:${id}`;
}

/** `redis` is the configured name of the Redis behind the gate. */
export function gateKey(group: string, redis: string): string {
  return `${ROOT}:gate:${group}:${redis}`;
}

export function gateHistoryKey(group: string, redis: string): string {
  return `${ROOT}:gate-history:${group}:${redis}`;
}

/** What an operator has decided about a halted partition, for the bridge that holds it. */
export function resetOrderKey(group: string, topic: string, partition: number): string {
  return `${ROOT}:reset:${group}:${topic}:${partition}`;
}

export function lossesKey(group: string): string {
  return `${ROOT}:losses:${group}`;
}

/**
 * The tokens with which jobs of a queue were taken lately without a lock, scored by when, in milliseconds: those that this history
 * of Redis knows. `queuePrefix` is `bull:mail:`.
 */
export function takingsKey(queuePrefix: string): string {
  return `${ROOT}:takings:${queuePrefix.slice(0, -1)}`;
}

/** Note that a host has begun the last run of a job; `queuePrefix` is `bull:mail:`. */
export function lastRunKey(queuePrefix: string, id: string): string {
  return `${ROOT}:last-run:${queuePrefix}${id}`;
}

/** Of Sluice's hosts on Sidekiq queues: what one of them has taken from a queue and not finished. */
export function sidekiqPrivateKey(queue: string, identity: string): string {
  return `work:${queue}:${identity}`;
}

/** The names of all private lists. */
export const SIDEKIQ_PRIVATE_LISTS = `${ROOT}:sidekiq:private`;

/** Sidekiq processes whose middleware tells the ledger what becomes of their jobs, scored by when it last said so, in seconds. */
export const SIDEKIQ_REPORTERS = `${ROOT}:sidekiq:reporters`;
/** It says so every five seconds. A process that was killed stays listed for a minute, and does not lack the middleware. */
export const REPORTER_SILENT_S = 75;

/** With the identity of a host: there as long as it is alive. */
export const SIDEKIQ_ALIVE = `${ROOT}:sidekiq:alive:`;

/** With the hash of a job's text: how often it was put back because its host had died. */
export const SIDEKIQ_RECOVERIES = `${ROOT}:sidekiq:recoveries:`;
