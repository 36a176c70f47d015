import { expect, test } from 'vitest';
import { exitCodeOfStatus } from '../../src/cli/status/status.ts';
import { table } from '../../src/cli/status/table.ts';
import { duration, type Seen, verdictOf } from '../../src/cli/status/verdict.ts';

const NOW = 1_000_000_000;
const role = (name: string, silentMs = 0) => ({ role: name, id: name, startedAt: 0, beatAt: 0, detail: {}, silentMs });
const topic = (lagRecords: number, lagSeconds = 0) => ({
  topic: 't',
  exists: true,
  partitions: 1,
  lagRecords,
  lagSeconds,
  finishedRecords: 0,
  completedRecords: 0,
  lateRecords: 0,
  nextDueAt: null,
  deadLetters: 0,
  deadJobs: 0,
  rejectedRecords: 0,
});
const well: Seen = {
  unreachable: [],
  topics: [topic(0)],
  redis: [],
  queues: [],
  sidekiq: null,
  acknowledged: [],
  roles: [role('bridge'), role('work')],
  losses: [],
  halted: [],
  expiring: [],
};
const gate = (isOpen: boolean, since = NOW - 240_000) => ({
  redis: 'main',
  usedBytes: 1,
  maxBytes: 0,
  systemBytes: 2_097_152,
  gate: {
    redis: 'main',
    isOpen,
    cause: isOpen ? 'room' : 'memory',
    since,
    usedBytes: 1,
    closeAtBytes: 1,
    openAtBytes: 1,
  },
});
const waiting = {
  queue: 'q',
  redis: 'main',
  isPaused: false,
  waiting: 3,
  active: 0,
  delayed: 0,
  prioritized: 1,
  failed: 0,
};
const partition = {
  topic: 't',
  partition: 2,
  state: 'ready',
  haltReason: '',
  carried: 0,
  retentionLeftMs: null,
  isRetentionShort: false,
};
const ruby = {
  redis: 'main',
  processes: 3,
  silentProcesses: [],
  busy: 1,
  waiting: 2,
  scheduled: 0,
  retries: 0,
  dead: 0,
  queues: [],
};
const stuck = { ...partition, state: 'halted', haltReason: 'made anew' };
const expiring = (hours: number) => ({ ...partition, retentionLeftMs: hours * 3_600_000, isRetentionShort: true });

test.each<[string, Partial<Seen>, number]>([
  ['Keeping up: nothing is behind', {}, 0],
  ['Working: 1,234 records not finished, the oldest for 3 min', { topics: [topic(1_200, 180), topic(34, 2)] }, 0],
  ['No bridge is running: nothing is taken from Kafka', { roles: [role('work')] }, 5],
  [
    'No bridge is running: nothing is taken from Kafka (the last one was heard 12 s ago)',
    { roles: [role('bridge', 15_000), role('bridge', 12_000), role('work')] },
    5,
  ],
  ['Keeping up: nothing is behind', { roles: [role('bridge', 12_000), role('bridge'), role('work')] }, 0],
  ['Partition t/2 is halted and waits for an operator: made anew', { halted: [stuck] }, 5],
  ['Partition t/2 is halted and waits for an operator: made anew (and 1 more)', { halted: [stuck, stuck] }, 5],
  [
    "Kafka may delete an unfinished record of t/2 in 3 h: raise the topic's retention, or add workers",
    { expiring: [expiring(5), expiring(3)] },
    5,
  ],
  ['Cannot see everything: Kafka: away', { unreachable: ['Kafka: away'], roles: [] }, 4],
  [
    'Falling behind: the gate of Redis main has been closed for 4 min, because its memory is used up; 1 record not finished',
    { redis: [gate(true), gate(false, NOW - 1_000), gate(false)], topics: [topic(1, 1)] },
    0,
  ],
  [
    'Holding: the gate of Redis main has been closed for 4 min, because its memory is used up; 0 records not finished',
    { redis: [gate(false)] },
    0,
  ],
  [
    "Sluice's middleware is missing in 1 of 3 Sidekiq processes (vm:7:ab): records of rails that they take are never finished",
    { sidekiq: { ...ruby, silentProcesses: ['vm:7:ab'] }, acknowledged: ['rails'] },
    0,
  ],
  [
    "Sluice's middleware is missing in 2 of 3 Sidekiq processes (vm:7:ab and 1 more): records of rails that they take are never finished",
    { sidekiq: { ...ruby, silentProcesses: ['vm:7:ab', 'vm:8:cd'] }, acknowledged: ['rails'] },
    0,
  ],
  ['Keeping up: nothing is behind', { sidekiq: { ...ruby, silentProcesses: ['vm:7:ab'] } }, 0],
  [
    '2 Sidekiq jobs wait in Redis main, and no Sidekiq process works there: is it the server and the database that Sidekiq uses?',
    { sidekiq: { ...ruby, processes: 0 } },
    0,
  ],
  ['Keeping up: nothing is behind', { sidekiq: { ...ruby, processes: 0, waiting: 0 } }, 0],
  ['4 jobs wait, and no worker host of Sluice is running', { roles: [role('bridge')], queues: [waiting] }, 0],
])('%s', (verdict, seen, exitCode) => {
  const all = { ...well, ...seen };
  const found = verdictOf(all, NOW);
  expect(found.verdict).toBe(verdict);
  expect(exitCodeOfStatus({ ...all, ...found })).toBe(exitCode);
});

test.each([
  [0, '0 s'],
  [119, '119 s'],
  [240, '4 min'],
  [7_200, '2 h'],
  [200_000, '2 d'],
])('%i seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('a role that is silent is not shown as one that is up', () => {
  const seen = { ...well, roles: [role('bridge', 12_000), role('work', 900)] };
  const lines = table({ version: 1, at: new Date(60_000).toISOString(), ...verdictOf(seen, NOW), ...seen });
  expect(lines).toContainEqual(expect.stringMatching(/^bridge +bridge +last heard 12 s ago$/));
  expect(lines).toContainEqual(expect.stringMatching(/^work +work +60 s$/));
});

test('a dashboard is shown with its address', () => {
  const at = (address: string) => ({ ...role('dashboard'), detail: { address } });
  const seen = { ...well, roles: [at('http://127.0.0.1:7465'), at('')] };
  const lines = table({ version: 1, at: new Date(60_000).toISOString(), ...verdictOf(seen, NOW), ...seen });
  expect(lines.slice(-2)).toEqual([
    expect.stringMatching(/^dashboard .* http:\/\/127\.0\.0\.1:7465$/),
    expect.stringMatching(/^dashboard .* its port is taken$/),
  ]);
});

test('a gate that has had no reading shows no thresholds', () => {
  const { gate: open, ...redis } = gate(false);
  const unread = { ...redis, gate: { ...open, cause: 'redis-away', closeAtBytes: 0, openAtBytes: 0 } };
  const seen = { ...well, redis: [unread] };
  const lines = table({ version: 1, at: new Date(NOW).toISOString(), ...verdictOf(seen, NOW), ...seen });
  expect(lines[0]).toContain('because it does not answer the bridge');
  expect(lines).toContainEqual(
    expect.stringMatching(/^main +closed: redis-away +4 min +0\.0 MiB +none; percents are of the machine's 2\.0 MiB$/),
  );
});

test('the verdict tells of one and of many', () => {
  const one = { ...well, roles: [role('bridge')] };
  const queue = { queue: 'q', redis: 'main', isPaused: false, active: 0, delayed: 0, prioritized: 0, failed: 0 };
  const waiting = (jobs: number) => verdictOf({ ...one, queues: [{ ...queue, waiting: jobs }] }, NOW).verdict;
  expect([1, 2].map(waiting)).toEqual([
    '1 job waits, and no worker host of Sluice is running',
    '2 jobs wait, and no worker host of Sluice is running',
  ]);
});
