import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/cli/config/load.ts';
import type { Setting } from '../../src/cli/config/settings.ts';
import { SluiceError } from '../../src/errors.ts';

interface Given {
  readonly file?: string;
  readonly name?: string;
  readonly environment?: Record<string, string>;
  readonly flags?: readonly Setting[];
}

function folderWith({ file, name = 'sluice.config.mjs' }: Given): string {
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  if (file !== undefined) writeFileSync(join(cwd, name), file);
  return cwd;
}

function load(given: Given) {
  const { environment = {}, flags = [] } = given;
  return loadConfig({ cwd: folderWith(given), file: undefined, environment, flags });
}

async function problems(given: Given): Promise<string> {
  const error: unknown = await load(given).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SluiceError);
  expect(error).toMatchObject({ code: 'CONFIG' });
  return (error as Error).message;
}

test('nothing at all is a configuration that works beside the stack', async () => {
  const { config, sourceOf } = await load({});
  expect(config.kafka.brokers).toEqual(['127.0.0.1:9092']);
  expect(config.redis.main?.url).toBe('redis://127.0.0.1:6379');
  expect(Object.keys(config.topics)).toEqual(['sluice.jobs']);
  expect(sourceOf(['kafka', 'brokers'])).toBe('default');
});

test('flags outrank the environment, which outranks the file, which outranks defaults', async () => {
  const { config, sourceOf } = await load({
    file: 'export default { kafka: { brokers: ["file:1"], groupId: "file" }, log: { level: "warn" } };',
    environment: { KAFKA_BROKERS: 'env:1, env:2', SLUICE_LOG__LEVEL: 'error' },
    flags: [{ path: ['log', 'level'], value: 'debug', source: '--log-level' }],
  });
  expect(config.kafka).toMatchObject({ brokers: ['env:1', 'env:2'], groupId: 'file', clientId: 'sluice' });
  expect(config.log.level).toBe('debug');
  expect(
    [
      ['kafka', 'brokers'],
      ['kafka', 'groupId'],
      ['log', 'level'],
      ['work', 'processes'],
    ].map(sourceOf),
  ).toEqual(['KAFKA_BROKERS', 'sluice.config.mjs', '--log-level', 'default']);
});

test('a TypeScript file is read as it is', async () => {
  const { config } = await load({
    name: 'sluice.config.ts',
    file: 'const processes: number = 3;\nexport default { work: { processes } } satisfies object;',
  });
  expect(config.work.processes).toBe(3);
});

test('the result cannot be changed', async () => {
  const { config } = await load({});
  expect(() => config.kafka.brokers.push('x')).toThrow(TypeError);
  expect(() => Object.assign(config.redis.main ?? {}, { url: 'x' })).toThrow(TypeError);
});

test('`main` is there beside other Redis, and the default topic only where none is named', async () => {
  const { config } = await load({
    file: 'export default { redis: { eu: { url: "redis://eu:6379" } }, topics: { "acme.orders": {} } };',
  });
  expect(Object.keys(config.redis).sort()).toEqual(['eu', 'main']);
  expect(Object.keys(config.topics)).toEqual(['acme.orders']);
});

test('folders of the file lie beside it, those of flags in the working folder', async () => {
  const cwd = folderWith({ file: 'export default { workers: "jobs", proto: ["a"] };' });
  const other = folderWith({});
  for (const folder of [join(cwd, 'jobs'), join(cwd, 'a'), join(other, 'mine')]) mkdirSync(folder);
  const file = join(cwd, 'sluice.config.mjs');
  const own = await loadConfig({ cwd: other, file, environment: {}, flags: [] });
  expect(own.config).toMatchObject({ workers: join(cwd, 'jobs'), proto: [join(cwd, 'a')] });
  const flags = [{ path: ['workers'], value: 'mine', source: '--workers' }];
  const flagged = await loadConfig({ cwd: other, file, environment: {}, flags });
  expect(flagged.config.workers).toBe(join(other, 'mine'));
});

test('a folder that was named has to be there', async () => {
  const text = await problems({
    file: 'export default {\n  proto: ["nope"] };',
    flags: [{ path: ['workers'], value: 'gone', source: '--workers' }],
  });
  expect(text).toMatch(/^proto \(sluice\.config\.mjs:2\): .*nope is not there$/m);
  expect(text).toMatch(/^workers \(--workers\): .*gone is not there$/m);
});

test('an unknown key is refused, with its line and what was meant', async () => {
  const text = await problems({
    file: 'export default {\n  kafka: {\n    grupId: "x",\n  },\n  redis: { main: { gate: { closAt: 1 } } },\n};',
  });
  expect(text).toContain('kafka.grupId (sluice.config.mjs:3): no such key; did you mean "groupId"?');
  expect(text).toContain('redis.main.gate.closAt (sluice.config.mjs:5): no such key; did you mean "closeAt"?');
});

test.each([
  [
    '{ work: { processes: 0 } }',
    'work.processes (sluice.config.mjs:1): a number (0) is not allowed; allowed: a whole number from 1 to 256',
  ],
  [
    '{ log: { level: "loud" } }',
    'log.level (sluice.config.mjs:1): a string ("loud") is not allowed; allowed: one of "debug"',
  ],
  ['{ kafka: { brokers: "a:1" } }', 'kafka.brokers (sluice.config.mjs:1): a string is not allowed; allowed: a list'],
  [
    '{ redis: { main: { gate: { openAt: true } } } }',
    'redis.main.gate.openAt (sluice.config.mjs:1): a boolean (true) is not allowed',
  ],
  [
    '{ topics: { "acme.orders": { queue: 7 } } }',
    'topics["acme.orders"].queue (sluice.config.mjs:1): a number (7) is not allowed; allowed: a queue name',
  ],
  ['{ topics: { "acme orders": {} } }', 'topics["acme orders"] (sluice.config.mjs:1): "acme orders" is no name'],
  ['{ queues: { "a:b": {} } }', 'queues["a:b"] (sluice.config.mjs:1): "a:b" is no name'],
  ['{ kafka: { sasl: { mechanism: "plain", username: "u" } } }', 'kafka.sasl.password'],
  ['{ collector: { url: "ftp://x" } }', 'allowed: an http or https address'],
  [
    '{ redis: { main: { url: "localhost:6379" } } }',
    'redis.main.url (sluice.config.mjs:1): a string without "://" is not allowed; allowed: an address that begins with',
  ],
  [
    '{ redis: { main: { url: "redis://:hunter2@h:port" } } }',
    'a string whose host or port cannot be read is not allowed; allowed: an address that begins',
  ],
  [
    '{ redis: { main: { gate: { closeAt: "75" } } } }',
    `a string ("75") is not allowed; allowed: a whole number from 1 on, or a text such as '75%' or '512mb'`,
  ],
  ['{ redis: { main: { prefix: "a:b" } } }', `a string ("a:b") is not allowed; allowed: a text without ':'`],
  ['{ kafka: null }', 'kafka (sluice.config.mjs:1): null is not allowed; allowed: an object'],
])('%s is refused in words', async (config, words) => {
  expect(await problems({ file: `export default ${config};` })).toContain(words);
});

test.each([
  [
    '{ queues: { mail: { redis: "mainn" } } }',
    'queues.mail.redis (sluice.config.mjs:1): no Redis is called "mainn"; did you mean "main"?',
  ],
  ['{ topics: { t: { record: "json" } } }', 'topics.t.message (sluice.config.mjs:1): missing; a topic of json records'],
  [
    '{ topics: { t: { message: "a.B" } } }',
    'topics.t.message (sluice.config.mjs:1): an envelope names its own message type',
  ],
  [
    '{ topics: { t: { queues: ["mial"] } }, queues: { mail: {} } }',
    'topics.t.queues (sluice.config.mjs:1): no queue is called "mial"',
  ],
  [
    '{ redis: { main: { gate: { closeAt: "1gb", openAt: "1024mb" } } } }',
    'redis.main.gate.openAt (sluice.config.mjs:1): 1024mb must be below closeAt (1gb)',
  ],
  ['{ redis: { main: { gate: { closeAt: "50%", openAt: "50.5%" } } } }', '50.5% must be below closeAt (50%)'],
  ['{ redis: { main: { gate: { openAtDepth: 5 } } } }', 'means nothing without closeAtDepth'],
  ['{ redis: { main: { gate: { openAtDepth: 5, closeAtDepth: 5 } } } }', '5 must be below closeAtDepth (5)'],
  ['{ topics: {} }', 'topics (sluice.config.mjs:1): names no topic'],
])('%s does not fit together', async (config, words) => {
  expect(await problems({ file: `export default ${config};` })).toContain(words);
});

test('thresholds of different units are left to the gate', async () => {
  const { config } = await load({
    file: 'export default { redis: { main: { gate: { closeAt: "1gb", openAt: "90%" } } } };',
  });
  expect(config.redis.main?.gate.openAt).toBe('90%');
});

test('everything that is wrong is told at once', async () => {
  const text = await problems({
    file: 'export default { kafkaa: {}, work: { processes: 0 } };',
    environment: { SLUICE_LOGLEVEL: 'x' },
  });
  expect(text.split('\n')).toHaveLength(3);
});

test('a secret never shows in an error', async () => {
  const text = await problems({
    file: 'export default { redis: { main: { url: "http://:hunter2@h" } }, kafka: { sasl: { mechanism: "plain", username: "u", password: 7331 } } };',
  });
  expect(text).toContain('kafka.sasl.password');
  expect(text).not.toMatch(/hunter2|7331/);
});

test.each([
  ['sluice.config.mjs', 'const x = {};\n\nx.y.z();', /sluice\.config\.mjs:3: Cannot read properties/],
  ['sluice.config.mjs', 'export const a = 1;', /has no default export; write: export default defineConfig/],
  ['sluice.config.mjs', 'export default 7;', /exports a number by default/],
])('a file that cannot be read says where: %s %j', async (name, file, words) => {
  expect(await problems({ name, file })).toMatch(words);
});

test('two files are one too many, and a named one has to be there', async () => {
  const cwd = folderWith({ file: 'export default {};' });
  writeFileSync(join(cwd, 'sluice.config.ts'), 'export default {};');
  await expect(loadConfig({ cwd, file: undefined, environment: {}, flags: [] })).rejects.toThrow('both there');
  await expect(loadConfig({ cwd, file: 'x.ts', environment: {}, flags: [] })).rejects.toThrow(
    'no such configuration file',
  );
});

test('what a topic says about messages and about whose jobs they become has to fit together', async () => {
  const file = `export default {
    sidekiq: { redis: 'rails' },
    topics: {
      a: { target: 'sidekiq' },
      b: { target: 'sidekiq', record: 'sidekiq', class: 'A', message: 'a.B' },
      c: { record: 'sidekiq' },
      d: { class: 'A' },
      e: { target: 'sidekiq', record: 'sidekiq', queues: ['x'] },
      f: { target: 'sidekiq', class: 'A', arguments: 'xml' },
      g: { settle: 'acknowledged', arguments: 'base64' },
      h: { target: 'sidekiq', record: 'sidekiq', arguments: 'base64', unknownFields: 'dead-letter', queue: 'a b' },
      i: { target: 'sidekiq', class: 'hard job' },
    },
  }`;
  const found = await problems({ file });
  expect(found).toContain('topics.f.arguments');
  const rest = await problems({ file: file.replace(", arguments: 'xml'", '') });
  const texts = rest.replaceAll(/ \(sluice\.config\.mjs:\d+\)/g, '').split('\n');
  expect(texts).toEqual(
    expect.arrayContaining([
      'sidekiq.redis: no Redis is called "rails"; there are: main',
      'topics.a.class: missing; name the Ruby class, or set record to "sidekiq"',
      'topics.b.class: a Sidekiq job names its own class; leave it out',
      'topics.b.message: a Sidekiq job is no message; leave it out',
      'topics.c.target: must be "sidekiq" for Sidekiq records',
      'topics.d.class: means nothing unless target is "sidekiq"',
      'topics.e.queues: means nothing for Sidekiq, which has one Redis',
      'topics.g.arguments: means nothing unless target is "sidekiq"',
      'topics.g.settle: means nothing unless target is "sidekiq"',
      'topics.h.arguments: a Sidekiq job brings its own arguments; leave it out',
      'topics.h.unknownFields: a Sidekiq job may have any fields; leave it out',
      'topics.h.queue: "a b" is no Sidekiq queue; allowed: letters, digits, "_", "-", "." and ":"',
      'topics.i.class: "hard job" is no Ruby class; such as "HardJob" or "Billing::Charge"',
    ]),
  );
});
