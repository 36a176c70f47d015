import { expect, test, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, lastError, type Redis, redisError } from '../../src/redis/connection.ts';
import { startRedis } from '../support/redis.ts';

const SOON = { timeout: 10_000, interval: 50 };

test('a process with several connections tells once that its Redis is away, and once that it is back', async () => {
  const server = await startRedis();
  const said: string[] = [];
  const say = (_fields: object, text: string) => void said.push(text);
  const log = { ...silentLog, warn: say, info: say };
  const config = { url: server.url };
  const connections: Redis[] = [1, 2, 3].map(() => connect('main', config, 'command', log));
  await Promise.all(connections.map((each) => each.ping()));
  await server.kill();
  await vi.waitFor(() => expect(connections.map(lastError)).toEqual(Array(3).fill(expect.any(String))), SOON);
  expect(said).toEqual(['redis is away; trying again']);
  // One that is closed while Redis is away does not keep the others from being back.
  connections.pop()?.disconnect();
  await server.restart();
  await vi.waitFor(() => expect(said).toEqual(['redis is away; trying again', 'redis is back']), SOON);
  await vi.waitFor(() => expect(connections.map(lastError)).toEqual([undefined, undefined]), SOON);
  for (const each of connections) each.disconnect();
  await server.stop();
});

test('a command without a connection fails in words of Redis, not of the client', async () => {
  const ledger = connect('main', { url: 'redis://127.0.0.1:1' }, 'ledger', silentLog);
  const error: unknown = await ledger.ping().catch((thrown: unknown) => thrown);
  expect(redisError('main', error).message).toBe('Redis main does not answer: it is not connected');
  ledger.disconnect();
});
