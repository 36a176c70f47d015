/** The status for people: the verdict, then a table each for topics, Redis, queues and roles. */
import { type HeardBeacon, isSilent } from '../../presence/beacons.ts';
import { columns } from '../output.ts';
import type { RedisStatus, SidekiqStatus, Status, TopicStatus } from './shape.ts';
import { duration } from './verdict.ts';

export function table({ verdict, topics, redis, queues, sidekiq, roles, losses, at }: Status): string[] {
  const now = Date.parse(at);
  return [
    verdict,
    ...section(
      ['TOPIC', 'LAG', 'OLDEST', 'LATE', 'NEXT DUE', 'COMPLETED', 'DEAD LETTERS'],
      topics.map((each) => [
        each.topic,
        each.exists ? each.lagRecords : 'no such topic yet',
        each.exists ? duration(each.lagSeconds) : '',
        each.exists ? each.lateRecords : '',
        each.nextDueAt === null ? '' : `in ${duration(Math.max(0, Date.parse(each.nextDueAt) - now) / 1_000)}`,
        each.exists ? each.completedRecords : '',
        each.exists ? letters(each) : '',
      ]),
    ),
    ...section(
      ['REDIS', 'GATE', 'SINCE', 'USED', 'CLOSES AT', 'OPENS AT', 'MAXMEMORY'],
      redis.map((each) => gateRow(each, now)),
    ),
    ...section(
      ['QUEUE', 'REDIS', 'WAITING', 'ACTIVE', 'DELAYED', 'PRIORITIZED', 'FAILED'],
      queues.map((each) => [
        each.isPaused ? `${each.queue} (paused)` : each.queue,
        each.redis,
        each.waiting,
        each.active,
        each.delayed,
        each.prioritized,
        each.failed,
      ]),
    ),
    ...sidekiqSections(sidekiq),
    ...section(
      ['ROLE', 'PROCESS', 'UP', ''],
      roles.map((each) => [each.role, each.id, upFor(each, now), addressOf(each)]),
    ),
    ...section(
      ['REDIS LOST JOBS', 'AGO', 'HOW', 'ENQUEUED AGAIN', 'TOOK'],
      losses.map((each) => [
        `${each.topic}/${each.partition}`,
        duration((now - each.at) / 1_000),
        each.kind,
        each.enqueuedAgain,
        duration(each.tookMs / 1_000),
      ]),
    ),
  ];
}

function sidekiqSections(sidekiq: SidekiqStatus | null): string[] {
  if (sidekiq === null) return [];
  const { redis, processes, busy, waiting, scheduled, retries, dead, queues } = sidekiq;
  return [
    ...section(
      ['SIDEKIQ', 'PROCESSES', 'BUSY', 'WAITING', 'SCHEDULED', 'RETRIES', 'DEAD'],
      [[redis, processes, busy, waiting, scheduled, retries, dead]],
    ),
    ...section(
      ['SIDEKIQ QUEUE', 'WAITING', 'LATENCY'],
      queues.map((each) => [each.queue, each.waiting, duration(each.latencySeconds)]),
    ),
  ];
}

function letters({ deadLetters, deadJobs, rejectedRecords }: TopicStatus): string | number {
  if (deadLetters === 0) return deadLetters;
  return `${deadLetters}: ${deadJobs} dead, ${rejectedRecords} rejected`;
}

function upFor(role: HeardBeacon, now: number): string {
  if (isSilent(role)) return `last heard ${duration(role.silentMs / 1_000)} ago`;
  return duration(Math.max(0, now - role.startedAt) / 1_000);
}

/** Of a dashboard. */
function addressOf({ role, detail }: HeardBeacon): string {
  if (role !== 'dashboard') return '';
  return String(Reflect.get(Object(detail), 'address') || 'its port is taken');
}

function section(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  return rows.length === 0 ? [] : ['', ...columns([head, ...rows])];
}

function gateRow({ redis, usedBytes, maxBytes, systemBytes, gate }: RedisStatus, now: number): string[] {
  const max = maxBytes === 0 ? `none; percents are of the machine's ${mebibytes(systemBytes)}` : mebibytes(maxBytes);
  if (gate === null) return [redis, 'no bridge tells', '', mebibytes(usedBytes), '', '', max];
  const state = gate.isOpen ? 'open' : `closed: ${gate.cause}`;
  const since = duration(Math.max(0, now - gate.since) / 1_000);
  // Thresholds are percents of a memory that a bridge does not know before its first reading.
  const limits = [gate.closeAtBytes, gate.openAtBytes].map((bytes) => (bytes === 0 ? '' : mebibytes(bytes)));
  return [redis, state, since, mebibytes(usedBytes), ...limits, max];
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
