import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { createSupervisor, type Supervisor } from '../../src/cli/supervise.ts';
import { systemClock } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import { isAlive } from './run.ts';

const command = fileURLToPath(new URL('./child.mjs', import.meta.url));
const supervisors: Supervisor[] = [];
afterEach(async () => {
  await Promise.all(supervisors.splice(0).map((each) => each.stop(0)));
});

function supervise(...hows: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-supervise-'));
  const waits: number[] = [];
  const clock = {
    ...systemClock,
    sleep(ms: number, signal?: AbortSignal) {
      waits.push(ms);
      return systemClock.sleep(ms / 20, signal);
    },
  };
  const onHopeless = vi.fn<(exitCode: number) => void>();
  const children = hows.map((how) => ({ name: how, args: [how, join(folder, how)] }));
  const supervisor = createSupervisor({ command, children, log: silentLog, clock, onHopeless });
  supervisors.push(supervisor);
  const pids = (how: string) => readFileSync(join(folder, how), 'utf8').trim().split('\n').map(Number);
  return { supervisor, pids, waits, onHopeless };
}

test('a child that is killed is started again, and the others are left alone', async () => {
  const { supervisor, pids } = supervise('stay', 'other');
  await supervisor.start();
  await vi.waitFor(() => expect([...pids('stay'), ...pids('other')]).toHaveLength(2));
  process.kill(pids('stay')[0] as number, 'SIGKILL');
  await vi.waitFor(() => expect(pids('stay')).toHaveLength(2), { timeout: 5_000 });
  expect(isAlive(pids('stay')[1] as number)).toBe(true);
  expect(pids('other')).toHaveLength(1);
});

test('a child that always dies at once is started ever more rarely', async () => {
  const { supervisor, pids, waits } = supervise('crash');
  await supervisor.start();
  await vi.waitFor(() => expect(pids('crash').length).toBeGreaterThanOrEqual(4), { timeout: 10_000 });
  for (const [index, wait] of waits.slice(0, 4).entries()) {
    expect(wait).toBeGreaterThanOrEqual(250 * 2 ** index);
    expect(wait).toBeLessThanOrEqual(500 * 2 ** index);
  }
});

test('a child with a wrong configuration is not started again; everything is to end with its code', async () => {
  const { supervisor, pids, waits, onHopeless } = supervise('config');
  await supervisor.start();
  await vi.waitFor(() => expect(onHopeless).toHaveBeenCalledExactlyOnceWith(3), { timeout: 5_000 });
  expect(pids('config')).toHaveLength(1);
  expect(waits).toEqual([]);
});

test('stop ends children gently, and kills those that do not listen', async () => {
  const { supervisor, pids } = supervise('stay', 'stubborn');
  await supervisor.start();
  await vi.waitFor(() => expect([...pids('stay'), ...pids('stubborn')]).toHaveLength(2));
  await supervisor.stop(300);
  expect([...pids('stay'), ...pids('stubborn')].filter(isAlive)).toEqual([]);
});

test('stop also ends the waiting for a restart', async () => {
  const { supervisor, pids } = supervise('crash');
  await supervisor.start();
  await vi.waitFor(() => expect(pids('crash').length).toBeGreaterThan(1), { timeout: 5_000 });
  await supervisor.stop(1_000);
  const { length } = pids('crash');
  await systemClock.sleep(200);
  expect(pids('crash')).toHaveLength(length);
});
