import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import { createBeacon, isSilent, readBeacons } from '../../src/presence/beacons.ts';
import { createGateRecorder, gateHistory, gateState } from '../../src/presence/gates.ts';
import { connect, type Redis } from '../../src/redis/connection.ts';
import { beaconKey, beaconsKey } from '../../src/redis/keys.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = connect('main', server, 'command', silentLog);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
afterEach(() => redis.flushall());

/** Sleeps a thousandth. */
const quick = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 1_000, signal) };

function beacon(role: string, group = 'g', detail: () => unknown = () => ({ role })) {
  return createBeacon(redis, { group, role, id: `${role}-1`, detail }, quick);
}

test('beats while it runs, with fresh details, and leaves at once when it is stopped', async () => {
  let beats = 0;
  const own = beacon('bridge', 'g', () => ({ beats: ++beats }));
  await own.start();
  await vi.waitFor(async () => expect((await readBeacons(redis, 'g'))[0]?.detail).toEqual({ beats }));
  await vi.waitFor(() => expect(beats).toBeGreaterThan(3));
  await own.stop(1_000);
  expect(await readBeacons(redis, 'g')).toEqual([]);
});

test('one that was killed is silent after seconds, and gone when its time is over', async () => {
  const own = beacon('bridge');
  await own.start();
  await vi.waitFor(async () => expect(await readBeacons(redis, 'g')).toHaveLength(1));
  expect((await readBeacons(redis, 'g')).map(isSilent)).toEqual([false]);
  const text = (await redis.get(beaconKey('g', 'bridge-1'))) ?? '';
  await own.stop(1_000);
  // What a killed one leaves behind, eight seconds later.
  await redis.zadd(beaconsKey('g'), Date.now(), 'bridge-1');
  await redis.set(beaconKey('g', 'bridge-1'), text, 'PX', 12_000);
  const [left] = await readBeacons(redis, 'g');
  expect(left?.silentMs).toBeGreaterThanOrEqual(8_000);
  expect(left?.silentMs).toBeLessThan(9_000);
  expect(left && isSilent(left)).toBe(true);
  await redis.pexpire(beaconKey('g', 'bridge-1'), 1);
  await vi.waitFor(async () => expect(await readBeacons(redis, 'g')).toEqual([]));
});

test('a change is told at once, not with the next beat', async () => {
  let isOpen = false;
  const group = { group: 'g', role: 'bridge', id: 'b', detail: () => ({ isOpen }) };
  const slow = { ...systemClock, sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(3_600_000, signal) };
  const own = createBeacon(redis, group, slow);
  await own.start();
  await vi.waitFor(async () => expect((await readBeacons(redis, 'g'))[0]?.detail).toEqual({ isOpen: false }));
  isOpen = true;
  own.changed();
  await vi.waitFor(async () => expect((await readBeacons(redis, 'g'))[0]?.detail).toEqual({ isOpen: true }));
  await own.stop(1_000);
});

test('groups do not see each other, and roles are in order', async () => {
  const all = [beacon('work'), beacon('bridge'), beacon('bridge', 'other')];
  await Promise.all(all.map((each) => each.start()));
  await vi.waitFor(async () => {
    expect((await readBeacons(redis, 'g')).map(({ role }) => role)).toEqual(['bridge', 'work']);
    expect(await readBeacons(redis, 'other')).toHaveLength(1);
  });
  await Promise.all(all.map((each) => each.stop(1_000)));
});

test('a detail that throws costs a beat, not the role', async () => {
  let calls = 0;
  const own = beacon('bridge', 'g', () => {
    calls += 1;
    if (calls === 1) throw new Error('not yet');
    return {};
  });
  await own.start();
  await vi.waitFor(async () => expect(await readBeacons(redis, 'g')).toHaveLength(1));
  await own.stop(1_000);
});

const view = {
  redis: 'main',
  isOpen: true,
  cause: 'room',
  since: 1,
  usedBytes: 10,
  closeAtBytes: 100,
  openAtBytes: 90,
};

test('a gate keeps its state and its changes, the newest first, at most 200', async () => {
  const gates = createGateRecorder(redis, { group: 'g', by: 'b' }, quick);
  for (let since = 1; since <= 203; since++) gates.record({ ...view, since, isOpen: since % 2 === 0 });
  await vi.waitFor(async () => expect((await gateHistory(redis, 'g', 'main'))[0]?.at).toBe(203));
  const history = await gateHistory(redis, 'g', 'main');
  expect(history).toHaveLength(200);
  expect(history[0]).toEqual({
    at: 203,
    to: 'closed',
    cause: 'room',
    usedBytes: 10,
    closeAtBytes: 100,
    openAtBytes: 90,
    by: 'b',
  });
  expect(await gateState(redis, 'g', 'main')).toMatchObject({ since: 203, isOpen: false });
  expect(await gateHistory(redis, 'other', 'main')).toEqual([]);
});

test('changes that Redis was away for are written when it is back, in order', async () => {
  const own = await startRedis();
  const connection = connect('main', own, 'command', silentLog);
  await connection.ping();
  await own.kill();
  const gates = createGateRecorder(connection, { group: 'g', by: 'b' }, systemClock);
  gates.record({ ...view, since: 1, isOpen: false, cause: 'redis-away' });
  gates.record({ ...view, since: 2 });
  await own.restart();
  await vi.waitFor(
    async () => {
      const history = await gateHistory(connection, 'g', 'main').catch(() => []);
      expect(history.map(({ at, cause }) => [at, cause])).toEqual([
        [2, 'room'],
        [1, 'redis-away'],
      ]);
    },
    { timeout: 15_000, interval: 100 },
  );
  await gates.stop(1_000);
  connection.disconnect();
  await own.stop();
});

test('stop does not wait for a Redis that is away', async () => {
  const connection = connect('main', { url: 'redis://127.0.0.1:1' }, 'command', silentLog);
  const gates = createGateRecorder(connection, { group: 'g', by: 'b' }, systemClock);
  const own = createBeacon(connection, { group: 'g', role: 'bridge', id: 'b', detail: () => ({}) }, systemClock);
  gates.record(view);
  await own.start();
  const began = Date.now();
  await Promise.all([gates.stop(300), own.stop(300)]);
  expect(Date.now() - began).toBeLessThan(1_000);
  connection.disconnect();
});
