/** A command of ours against the client's own, in all that may become of it. */
import { Command } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { YoungCommand } from '../../src/redis/young-command.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'ledger', silentLog);
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.rpush('list', 'a', Buffer.from([0xff, 0x00]), 'é');
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

const TYPES = ['utf8', null] as const;

describe.each([
  ['a list', 'lrange', ['list', 0, -1]],
  ['a number', 'llen', ['list']],
  ['nothing', 'get', ['none']],
  ['what was sent as bytes', 'echo', [Buffer.from([0xfe, 0x41])]],
  ['a script', 'eval', ['return {1, {ARGV[1]}, false}', 0, 'x']],
])('%s', (_, name, args) => {
  it.each(TYPES)('is answered as by the client, as %s', async (replyEncoding) => {
    const own = redis.sendCommand(new YoungCommand(name, args, replyEncoding));
    const theirs = redis.sendCommand(new Command(name, [...args], { replyEncoding }));
    expect(await own).toEqual(await theirs);
  });
});

it('is refused as by the client, and keeps nothing of what was said', async () => {
  const command = new YoungCommand('llen', ['list', 'too', 'many'], 'utf8');
  await expect(redis.sendCommand(command)).rejects.toThrow('wrong number of arguments');
  expect(command.args).toEqual([]);
  expect(command.isSettled).toBe(true);
});

it('gives up in time, and has no time limit any more when it was answered', async () => {
  await redis.sendCommand(new YoungCommand('ping', [], 'utf8'));
  const impatient = connect('test', server, 'ledger', silentLog);
  await new Promise((resolve) => impatient.once('ready', resolve));
  impatient.options.commandTimeout = 20;
  const command = new YoungCommand('blpop', ['never', 0], 'utf8');
  await expect(impatient.sendCommand(command)).rejects.toThrow('Command timed out');
  const answered = new YoungCommand('ping', [], 'utf8');
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const soon = redis.sendCommand(answered);
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(timers + 1);
  await soon;
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(timers);
  impatient.disconnect();
});

it('fails with its connection, and without one', async () => {
  const lost = connect('test', server, 'ledger', silentLog);
  await new Promise((resolve) => lost.once('ready', resolve));
  const waiting = lost.sendCommand(new YoungCommand('blpop', ['never', 0], 'utf8'));
  lost.disconnect();
  await expect(waiting).rejects.toThrow('Connection is closed');
  await expect(lost.sendCommand(new YoungCommand('ping', [], 'utf8'))).rejects.toThrow('Connection is closed');
});
