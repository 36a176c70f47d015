/** One sentence on how things stand. The first of these that holds is what an operator has to know. */
import { isSilent } from '../../presence/beacons.ts';
import { counted } from '../output.ts';
import type { Status } from './shape.ts';

export type Seen = Omit<Status, 'version' | 'at' | 'verdict' | 'isHealthy'>;

export interface Verdict {
  readonly verdict: string;
  readonly isHealthy: boolean;
}

/** `now`: milliseconds since the epoch. */
export function verdictOf(seen: Seen, now: number): Verdict {
  const problem = unseen(seen) ?? noBridge(seen) ?? halted(seen) ?? expiring(seen);
  if (problem !== undefined) return { verdict: problem, isHealthy: false };
  return {
    verdict: closedGate(seen, now) ?? noWorkers(seen) ?? noSidekiq(seen) ?? silentRuby(seen) ?? going(seen),
    isHealthy: true,
  };
}

function unseen({ unreachable }: Seen): string | undefined {
  return unreachable.length > 0 ? `Cannot see everything: ${unreachable.join('; ')}` : undefined;
}

function noBridge({ roles }: Seen): string | undefined {
  const bridges = roles.filter(({ role }) => role === 'bridge');
  if (bridges.some((each) => !isSilent(each))) return undefined;
  const last = Math.min(...bridges.map(({ silentMs }) => silentMs));
  const heard = bridges.length === 0 ? '' : ` (the last one was heard ${duration(last / 1_000)} ago)`;
  return `No bridge is running: nothing is taken from Kafka${heard}`;
}

function halted(seen: Seen): string | undefined {
  const [first] = seen.halted;
  if (first === undefined) return undefined;
  const others = seen.halted.length > 1 ? ` (and ${seen.halted.length - 1} more)` : '';
  return `Partition ${first.topic}/${first.partition} is halted and waits for an operator: ${first.haltReason}${others}`;
}

function expiring(seen: Seen): string | undefined {
  const [first] = [...seen.expiring].sort((a, b) => (a.retentionLeftMs ?? 0) - (b.retentionLeftMs ?? 0));
  if (first === undefined) return undefined;
  const left = duration((first.retentionLeftMs ?? 0) / 1_000);
  return `Kafka may delete an unfinished record of ${first.topic}/${first.partition} in ${left}: raise the topic's retention, or add workers`;
}

const CAUSES: Readonly<Record<string, string>> = {
  memory: 'its memory is used up',
  depth: 'a queue is too deep',
  'redis-away': 'it does not answer the bridge',
  'redis-refuses': 'it refuses writes',
};

function closedGate({ redis, topics }: Seen, now: number): string | undefined {
  const gates = redis.flatMap(({ gate }) => (gate === null || gate.isOpen ? [] : [gate]));
  const longest = gates.sort((a, b) => a.since - b.since)[0];
  if (longest === undefined) return undefined;
  const { records } = lag(topics);
  const state = records > 0 ? 'Falling behind' : 'Holding';
  const why = CAUSES[longest.cause] ?? longest.cause;
  const time = duration(Math.max(0, now - longest.since) / 1_000);
  return `${state}: the gate of Redis ${longest.redis} has been closed for ${time}, because ${why}; ${behind(records)}`;
}

function noWorkers({ roles, queues }: Seen): string | undefined {
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting + queue.prioritized, 0);
  if (waiting === 0 || roles.some((each) => each.role === 'work' && !isSilent(each))) return undefined;
  return `${counted(waiting, 'job waits', 'jobs wait')}, and no worker host of Sluice is running`;
}

/** Mostly the wrong server or database: what is settled when it is enqueued counts as finished there. */
function noSidekiq({ sidekiq }: Seen): string | undefined {
  if (sidekiq === null || sidekiq.waiting === 0 || sidekiq.processes > 0) return undefined;
  const { waiting, redis } = sidekiq;
  return `${counted(waiting, 'Sidekiq job waits', 'Sidekiq jobs wait')} in Redis ${redis}, and no Sidekiq process works there: is it the server and the database that Sidekiq uses?`;
}

/** Their jobs are run, and nobody says so: the commit stands still. */
function silentRuby({ sidekiq, acknowledged }: Seen): string | undefined {
  const [topic] = acknowledged;
  if (sidekiq === null || topic === undefined) return undefined;
  const [first, ...others] = sidekiq.silentProcesses;
  if (first === undefined) return undefined;
  const which = others.length > 0 ? `${first} and ${others.length} more` : first;
  const who = `${1 + others.length} of ${counted(sidekiq.processes, 'Sidekiq process', 'Sidekiq processes')} (${which})`;
  return `Sluice's middleware is missing in ${who}: records of ${topic} that they take are never finished`;
}

function going({ topics }: Seen): string {
  const { records, seconds } = lag(topics);
  return records === 0
    ? 'Keeping up: nothing is behind'
    : `Working: ${behind(records)}, the oldest for ${duration(seconds)}`;
}

function lag(topics: Seen['topics']): { records: number; seconds: number } {
  return {
    records: topics.reduce((sum, topic) => sum + topic.lagRecords, 0),
    seconds: Math.max(0, ...topics.map((topic) => topic.lagSeconds)),
  };
}

function behind(records: number): string {
  return `${counted(records, 'record')} not finished`;
}

/** `40 s`, `4 min`, `3 h`, `2 d`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
