/** The whole life of letters: jobs die, are looked at, and are replayed until they live or are known as a loop. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, type Running, runSluice } from '../support/sluice.ts';

const SOON = { timeout: 40_000, interval: 100 };
vi.setConfig({ testTimeout: 120_000 });
const codec = loadSchemas([`${ROOT}proto`]).codec('acme.web.v1.PageView');

interface Run {
  readonly url: string;
  readonly attempt: number;
  readonly eventId: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly offset: string;
}

let redis: TestRedis;
let topic: TestTopic;
let dir: string;
let env: Record<string, string>;
let roles: Running[];

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis.stop());

beforeEach(async () => {
  topic = await makeTopic(1);
  dir = mkdtempSync(join(tmpdir(), 'sluice-letters-'));
  const topics = { [topic.topic]: { record: 'protobuf', message: codec.type } };
  const files = { TEST_RECORD: join(dir, 'record.ndjson'), TEST_HEALED: join(dir, 'healed') };
  env = { ...sluiceEnv(topic, redis, 'mortal-workers', topics), ...files };
  roles = [runSluice(['bridge'], { env }), runSluice(['work'], { env })];
});

afterEach(async () => {
  expect(await Promise.all(roles.map((role) => role.kill('SIGTERM')))).toEqual([0, 0]);
  await topic.stop();
  rmSync(dir, { recursive: true });
});

async function produce(...urls: readonly string[]): Promise<void> {
  const producer = createRecordProducer(topic.kafka, silentLog);
  const records = urls.map((url) => ({
    key: `key-${url}`,
    value: Buffer.from(codec.encode({ url })),
    headers: { trace: url },
  }));
  await producer.send(topic.topic, records);
  await producer.stop(1_000);
}

function runs(): Run[] {
  const file = env.TEST_RECORD ?? '';
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Run);
}

async function dlq(...args: readonly string[]) {
  const running = runSluice(['dlq', ...args], { env });
  const code = await running.ended;
  const lines = running.stdout().trim().split('\n');
  const json = args.includes('--json') ? lines.filter((line) => line !== '').map((line) => JSON.parse(line)) : [];
  return { code, json, stdout: running.stdout(), stderr: running.stderr() };
}

async function waiting(count: number) {
  return vi.waitFor(async () => {
    const { json } = await dlq('ls', '--json');
    expect(json.length).toBe(count);
    return json;
  }, SOON);
}

it('shows letters, replays each once, and keeps the identity of its event', async () => {
  await produce('https://x/1/fine', 'https://x/2/told', 'https://x/3/fails');
  const letters = await waiting(2);
  const [fails, told] = [3, 2].map((n) => letters.find(({ key }) => key.includes(`/${n}/`)));
  expect(told).toMatchObject({ version: 1, state: 'waiting', reason: 'dead', error: 'as it was told', attempts: 1 });
  expect(told.origin).toBe(`${topic.topic}/0/1`);
  expect(fails).toMatchObject({ error: 'user 2 is not there', attempts: 2, message: codec.type, timesReplayed: 0 });

  const groups = await dlq('ls', '--group', '--json');
  expect(groups.json.map(({ error, count }) => [error, count]).sort()).toEqual([
    ['as it was told', 1],
    ['user <n> is not there', 1],
  ]);
  expect((await dlq('ls', '--search', 'x/3', '--json')).json.map(({ id }) => id)).toEqual([fails.id]);
  const shown = await dlq('show', `${topic.topic}/0/2`, '--json');
  expect(shown.json[0]).toMatchObject({ id: fails.id, type: codec.type, payload: { url: 'https://x/3/fails' } });
  expect(shown.json[0].headers).toMatchObject({ trace: 'https://x/3/fails', 'sluice.offset': '2' });
  expect((await dlq('show', fails.id)).stdout).toContain('page-view.ts');

  const dry = await dlq('replay', '--dry-run', '--json');
  expect(dry.json[0]).toMatchObject({ wouldReplay: 2 });
  expect(await dlq('replay')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('--yes is needed'),
  });
  expect(runs().length).toBe(4);

  writeFileSync(env.TEST_HEALED ?? '', '');
  expect(await dlq('replay', '--yes', '--json')).toMatchObject({ code: 0, json: [{ replayed: 2, refused: [] }] });
  await vi.waitFor(() => expect(runs().length).toBe(6), SOON);
  await vi.waitFor(async () => expect(await topic.lag()).toBeLessThanOrEqual(1), SOON);
  for (const url of ['https://x/2/told', 'https://x/3/fails']) {
    const lives = runs().filter((run) => run.url === url);
    expect(new Set(lives.map(({ eventId }) => eventId)).size).toBe(1);
    expect(lives.at(-1)).toMatchObject({
      attempt: 1,
      key: `key-${url}`,
      headers: { trace: url, 'sluice.replayed': '1' },
    });
  }
  expect((await dlq('replay', '--yes', '--json')).json[0]).toMatchObject({ replayed: 0 });
  expect(await waiting(0)).toEqual([]);
  expect((await dlq('ls', '--all', '--json')).json.map(({ state }) => state)).toEqual(['replayed', 'replayed']);
  expect(runs().length).toBe(6);
  const status = runSluice(['status', '--json'], { env });
  await status.ended;
  expect(JSON.parse(status.stdout()).topics[0]).toMatchObject({ deadLetters: 0, exists: true });
});

it('rebuilds a record that left the log before its job died, and replays it', async () => {
  const [, work] = roles;
  await work?.kill('SIGTERM');
  await produce('https://x/1/told');
  await vi.waitFor(async () => expect(await topic.committed()).toHaveProperty('size', 1), SOON);
  const counted = connect('test', redis, 'command', silentLog);
  await vi.waitFor(async () => expect(await counted.llen('bull:mortal:wait')).toBe(1), SOON);
  await disconnect(counted);
  const admin = createKafkaAdmin(topic.kafka, silentLog);
  await admin.deleteBelow({ topic: topic.topic, partition: 0 }, 1);
  await admin.stop(1_000);
  roles[1] = runSluice(['work'], { env });
  const [letter] = await waiting(1);
  const [shown] = (await dlq('show', letter.id, '--json')).json;
  expect(shown).toMatchObject({ type: codec.type, payload: { url: 'https://x/1/told' }, key: 'key-https://x/1/told' });
  expect(shown.headers).toMatchObject({ 'sluice.rebuilt': 'true', trace: 'https://x/1/told' });
  writeFileSync(env.TEST_HEALED ?? '', '');
  expect(await dlq('replay', '--yes', '--json')).toMatchObject({ code: 0, json: [{ replayed: 1 }] });
  await vi.waitFor(() => expect(runs().length).toBe(2), SOON);
  expect(runs()[1]?.eventId).toBe(runs()[0]?.eventId);
  expect(runs()[1]?.headers).toMatchObject({ trace: 'https://x/1/told', 'sluice.replayed': '1' });
});

it('knows a loop, whatever its records are replayed by, and remembers the first life', async () => {
  await produce('https://x/1/told');
  for (let life = 1; life <= 3; life++) {
    const [letter] = await waiting(1);
    expect(letter.timesReplayed).toBe(life - 1);
    expect(await dlq('replay', letter.id, '--yes', '--json')).toMatchObject({ code: 0, json: [{ replayed: 1 }] });
  }
  const [letter] = await waiting(1);
  expect(letter.timesReplayed).toBe(3);
  const headers = (await dlq('show', letter.id, '--json')).json[0].headers;
  expect(headers).toMatchObject({ 'sluice.first-offset': '0', 'sluice.first-topic': topic.topic });
  expect(new Set(runs().map(({ eventId }) => eventId)).size).toBe(1);
  const refused = await dlq('replay', '--yes', '--json');
  expect(refused).toMatchObject({ code: 1, json: [{ replayed: 0 }] });
  expect(refused.json[0].refused[0].why).toMatch(/replayed 3 times/);
  expect(await waiting(1)).toMatchObject([{ id: letter.id }]);
  writeFileSync(env.TEST_HEALED ?? '', '');
  expect(await dlq('replay', '--yes', '--force', '--json')).toMatchObject({ code: 0, json: [{ replayed: 1 }] });
  await vi.waitFor(() => expect(runs().length).toBe(5), SOON);
});
