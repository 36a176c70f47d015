import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { folder, run } from './run.ts';

test.each([
  [['--help'], 0],
  [['--version'], 0],
  [['up', '--help'], 0],
  [['pu'], 2],
  [['up', '--nope'], 2],
  [['new', 'worker'], 2],
  [['produce', 'a.B', '--delay', 'soon'], 2],
  [['produce', 'a.B', '--via', 'rabbit'], 2],
])('%j exits %i', async (args, code) => {
  const finished = await run(args);
  expect(finished).toMatchObject({ code });
});

test('a misspelt command is answered with the right one, on stderr', async () => {
  const { stdout, stderr } = await run(['statsu']);
  expect(stdout).toBe('');
  expect(stderr).toContain('Did you mean status?');
});

test('no command at all is a question for help', async () => {
  const { code, stderr } = await run([]);
  expect(code).toBe(2);
  expect(stderr).toContain('Usage: sluice');
});

test.each([
  ['sluice.config.mjs', 'export default {\n  a: ]\n};', /sluice\.config\.mjs:2: /],
  ['sluice.config.ts', 'export default {};\nenum A { B }', /sluice\.config\.ts:2: .*enum.*only strips types/],
  [
    'sluice.config.ts',
    'export default {\n  kafka: { grupId: 1 } };',
    /kafka\.grupId \(sluice\.config\.ts:2\): no such key/,
  ],
])('%s %j is one clear error with file and line, exit 3', async (name, text, words) => {
  const { code, stderr, stdout } = await run(['config', 'show'], { cwd: folder({ [name]: text }) });
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  expect(stderr).toMatch(words);
  expect(stderr).not.toContain('    at ');
});

test('config show masks secrets and says where values come from', async () => {
  const cwd = folder({
    'sluice.config.mjs': `export default {
      kafka: { groupId: 'mine', sasl: { mechanism: 'plain', username: 'u', password: 'hunter2' }, ssl: { key: 'hunter2' } },
      topics: { 'acme.orders': { queue: () => 'x' } },
    };`,
  });
  const env = { REDIS_URL: 'redis://user:hunter2@10.0.0.7:6379/3', COLLECTOR_URL: 'https://hunter2:hunter2@c.example' };
  const { code, stdout } = await run(['config', 'show', '--json'], { cwd, env });
  expect(code).toBe(0);
  expect(stdout).not.toContain('"hunter2"');
  const { version, settings } = JSON.parse(stdout) as { version: number; settings: Record<string, unknown>[] };
  expect(version).toBe(1);
  expect(settings).toContainEqual({
    path: 'redis.main.url',
    value: 'redis://user:***@10.0.0.7:6379/3',
    source: 'REDIS_URL',
  });
  expect(settings).toContainEqual({ path: 'kafka.sasl.password', value: '***', source: 'sluice.config.mjs' });
  expect(settings).toContainEqual({ path: 'kafka.ssl.key', value: '***', source: 'sluice.config.mjs' });
  expect(settings).toContainEqual({
    path: 'topics["acme.orders"].queue',
    value: '(function)',
    source: 'sluice.config.mjs',
  });
  expect(settings).toContainEqual({ path: 'work.processes', value: 1, source: 'default' });
});

test('config show --sources is readable', async () => {
  const { stdout } = await run(['config', 'show', '--sources', '--log-level', 'warn']);
  expect(stdout).toMatch(/^log\.level = +"warn" +# --log-level$/m);
  expect(stdout).toMatch(/^kafka\.brokers = +\["127\.0\.0\.1:9092"\] +# default$/m);
});

test('check says what it found, and refuses a folder in which every event would become a dead letter', async () => {
  const empty = await run(['check']);
  expect(empty.code).toBe(3);
  expect(empty.stderr).toContain(
    'no workers there; events of sluice.jobs that name no queue would all become dead letters',
  );
  const cwd = folder({ 'sluice.config.mjs': 'export default { topics: { t: { queue: "stock" } } };' });
  const { code, stdout } = await run(['check', '--json'], { cwd });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ version: 1, workers: [] });
});

const pinged = {
  'workers/ping.mjs': `import { defineWorker } from 'sluice';
export default defineWorker('acme.v1.Ping', { run() {} });`,
  'proto/ping.proto': 'syntax = "proto3"; package acme.v1; message Ping {} message Pong {}',
};

test('check tells of a dashboard port that is taken, which is no reason to fail', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const env = { SLUICE_DASHBOARD__PORT: String(port) };
  const { code, stderr } = await run(['check'], { cwd: folder(pinged), env });
  other.close();
  expect(code).toBe(0);
  expect(stderr).toMatch(new RegExp(`^warning: 127.0.0.1:${port} is taken.*SLUICE_DASHBOARD__PORT`));
});

test.each([
  ["{ 'acme.pongs': { record: 'json', message: 'acme.v1.Pong' } }", 1],
  ["{ 'acme.pings': { record: 'json', message: 'acme.v1.Ping' } }", 0],
  ["{ 'acme.jobs': {} }", 0],
])('with topics %s, check says which workers no topic feeds', async (topics, count) => {
  const config = `export default { topics: ${topics}, dashboard: { port: 0 } };`;
  const { stdout } = await run(['check', '--json'], { cwd: folder({ ...pinged, 'sluice.config.mjs': config }) });
  const { warnings } = JSON.parse(stdout) as { warnings: string[] };
  const expected = expect.stringMatching(/no topic feeds the worker of acme\.v1\.Ping: .*'sluice\.jobs': \{\}/);
  expect(warnings).toEqual(Array(count).fill(expected));
});

test('check refuses topics whose message no .proto file defines, all of them', async () => {
  const topics =
    "{ 'acme.a': { record: 'json', message: 'acme.v1.Pin' }, b: { record: 'protobuf', message: 'acme.v1.Pog' } }";
  const cwd = folder({ ...pinged, 'sluice.config.mjs': `export default { topics: ${topics} };` });
  const { code, stderr } = await run(['check'], { cwd });
  expect(code).toBe(3);
  expect(stderr).toMatch(
    /topics\["acme\.a"\]\.message: .*acme\.v1\.Pin; did you mean acme\.v1\.Ping\?\ntopics\.b\.message: /,
  );
});

test('types and new worker answer in JSON when asked', async () => {
  const cwd = folder({});
  const made = await run(['new', 'worker', 'SendWelcome', '--json'], { cwd });
  expect(made.code).toBe(0);
  const { files, message } = JSON.parse(made.stdout) as { files: string[]; message: string };
  expect(files).toContain('workers/send-welcome.ts');
  expect(message).toBe('app.v1.SendWelcome');
  const stale = await run(['types', '--check', '--json'], { cwd });
  expect(stale.code).toBe(1);
  expect(JSON.parse(stale.stdout)).toMatchObject({ version: 1, wasCurrent: false, protoFiles: 1 });
  expect((await run(['types'], { cwd })).code).toBe(0);
  expect((await run(['types', '--check'], { cwd })).code).toBe(0);
});

test('new worker says how to go on, with the message type that it gave', async () => {
  const cwd = folder({ 'package.json': '{"name":"@acme/my-shop","type":"module"}' });
  const { stderr } = await run(['new', 'worker', 'SendWelcome'], { cwd });
  expect(stderr).toContain('npx sluice types\n');
  expect(stderr).toContain('node --test workers/send-welcome.test.ts\n');
  expect(stderr).toContain('sluice produce acme_my_shop.v1.SendWelcome --json');
  expect(stderr).not.toContain('tsconfig');
});

test.each([
  ['{}', true],
  ['{"compilerOptions":{"rewriteRelativeImportExtensions":true}}', false],
  ['{"compilerOptions":{"noEmit":true,"allowImportingTsExtensions":true}}', false],
])('new worker beside the tsconfig %s says what tsc wants: %s', async (tsconfig, isSaid) => {
  const { stderr } = await run(['new', 'worker', 'SendWelcome'], { cwd: folder({ 'tsconfig.json': tsconfig }) });
  expect(stderr.includes('tsconfig.json needs "rewriteRelativeImportExtensions": true')).toBe(isSaid);
});

test.each([
  ['send-bye', '; did you mean "SendBye"?'],
  ['sendBye', '; did you mean "SendBye"?'],
  ['7', 'not allowed; allowed'],
])('new worker %s: %s', async (name, words) => {
  const { code, stderr } = await run(['new', 'worker', name]);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});

test('in a CommonJS project, as npm init makes them, what is scaffolded works as it is', async () => {
  const cwd = folder({ 'package.json': '{"name":"shop","type":"commonjs"}' });
  const made = await run(['new', 'worker', 'SendWelcome', '--json'], { cwd });
  const { files } = JSON.parse(made.stdout) as { files: string[] };
  expect(files.slice(1)).toEqual(['workers/send-welcome.mts', 'workers/send-welcome.test.mts']);
  expect(await run(['check'], { cwd, env: { SLUICE_DASHBOARD__PORT: '0' } })).toMatchObject({ code: 0, stderr: '' });
  const test = ['--conditions=sluice-source', '--test', 'workers/**/*.test.mts'];
  const { status, stdout } = spawnSync(process.execPath, test, { cwd, encoding: 'utf8', env: { PATH: '' } });
  expect(stdout).toMatch(/pass 2/);
  expect(status).toBe(0);
});

test.each([
  ['workers/ping.ts', "import { defineWorker } from 'sluice';\n", ['check']],
  ['sluice.config.ts', 'export default {};\n', ['config', 'show']],
])('%s that Node takes for CommonJS is told with what to do', async (name, text, args) => {
  const cwd = folder({ 'package.json': '{"type":"commonjs"}', [name]: text });
  const { code, stderr } = await run(args, { cwd });
  expect(code).toBe(3);
  expect(stderr).toMatch(
    /^sluice: .*:1: .*Node takes it for CommonJS: end its name in \.mts, or set "type": "module"/m,
  );
});

test('the help promises what is there', async () => {
  expect((await run(['--help'])).stdout).toContain('Kafka to BullMQ and Sidekiq, each job once');
});
