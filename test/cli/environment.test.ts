import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { environmentSettings } from '../../src/cli/config/environment.ts';
import { layer } from '../../src/cli/config/settings.ts';

function read(environment: Record<string, string>, known = {}) {
  const problems: string[] = [];
  const { tree } = layer(environmentSettings(environment, known, problems));
  return { tree, problems };
}

test.each([
  [{ KAFKA_BROKERS: 'a:1,b:2' }, { kafka: { brokers: ['a:1', 'b:2'] } }],
  [{ REDIS_URL: 'redis://r' }, { redis: { main: { url: 'redis://r' } } }],
  [{ COLLECTOR_URL: 'http://c' }, { collector: { url: 'http://c' } }],
  [{ SLUICE_KAFKA__GROUP_ID: '7' }, { kafka: { groupId: '7' } }],
  [{ SLUICE_WORK__DRAIN_MS: '100' }, { work: { drainMs: 100 } }],
  [{ SLUICE_DASHBOARD__ENABLED: 'false' }, { dashboard: { enabled: false } }],
  [{ SLUICE_REDIS__MAIN__GATE__CLOSE_AT: '5000000' }, { redis: { main: { gate: { closeAt: 5_000_000 } } } }],
  [{ SLUICE_REDIS__MAIN__GATE__CLOSE_AT: '70%' }, { redis: { main: { gate: { closeAt: '70%' } } } }],
  [{ SLUICE_QUEUES__MAIL__CONCURRENCY: '9' }, { queues: { mail: { concurrency: 9 } } }],
  [{ SLUICE_PROTO: '["a","b"]' }, { proto: ['a', 'b'] }],
  [{ SLUICE_KAFKA__SSL: '{"ca":"x"}' }, { kafka: { ssl: { ca: 'x' } } }],
  [{ SLUICE_KAFKA__SSL: 'true' }, { kafka: { ssl: true } }],
  [{ SLUICE_TOPICS__SLUICE_JOBS__QUEUE: 'q' }, { topics: { 'sluice.jobs': { queue: 'q' } } }],
])('%j', (environment, tree) => {
  expect(read(environment)).toEqual({ tree, problems: [] });
});

test('names of topics are those that the file has', () => {
  const known = { topics: { 'acme.Orders': {} } };
  const { tree } = read({ SLUICE_TOPICS__ACME_ORDERS__MESSAGE: 'acme.Order' }, known);
  expect(tree).toEqual({ topics: { 'acme.Orders': { message: 'acme.Order' } } });
});

test('the generic name outranks the well-known one', () => {
  expect(read({ SLUICE_KAFKA__BROKERS: 'mine:1', KAFKA_BROKERS: 'all:1' }).tree).toEqual({
    kafka: { brokers: ['mine:1'] },
  });
});

test('an empty variable is not set, and what is not ours is left alone', () => {
  const others = {
    KAFKA_BROKERS: '',
    SLUICE_CONFIG: 'x.ts',
    SLUICE_VIA: 'redis',
    SLUICE_STACK_DIR: 'x',
    SLUICE_SERVICE_HOST: '10.0.0.1',
    SLUICE_PORT: 'tcp://10.0.0.1:7465',
    SLUICE_PORT_7465_TCP_ADDR: '10.0.0.1',
    SLUICE_BRIDGE_SERVICE_PORT_HTTP: '80',
    PATH: 'x',
  };
  expect(read(others)).toEqual({ tree: {}, problems: [] });
});

test('a secret comes from a file, without its last line end', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'sluice-secret-')), 'password');
  writeFileSync(file, 'hunter2\n');
  expect(read({ SLUICE_KAFKA__SASL__PASSWORD_FILE: file }).tree).toEqual({ kafka: { sasl: { password: 'hunter2' } } });
  const both = read({ REDIS_URL: 'redis://r', REDIS_URL_FILE: file });
  expect(both.problems).toEqual(['REDIS_URL and REDIS_URL_FILE are both set; keep one']);
  expect(read({ REDIS_URL_FILE: '/not/there' }).problems[0]).toContain('REDIS_URL_FILE: ENOENT');
});

test.each([
  ['SLUICE_KAFKA_BROKERS', 'did you mean SLUICE_KAFKA__BROKERS?'],
  ['SLUICE_KAFKA__GRUP_ID', 'did you mean SLUICE_KAFKA__GROUP_ID?'],
  ['SLUICE_LOGLEVEL', 'did you mean SLUICE_LOG__LEVEL?'],
  ['SLUICE_KAFKA__BROKERS__X__Y', 'no such setting'],
])('%s is refused', (name, words) => {
  const { tree, problems } = read({ [name]: 'x' });
  expect(tree).toEqual({});
  expect(problems.join()).toContain(words);
});

test('broken JSON is told', () => {
  expect(read({ SLUICE_KAFKA__SASL: '{"a"' }).problems).toEqual(['SLUICE_KAFKA__SASL: looks like JSON and is not']);
});
