/** A private Redis for one test file: its own process on a free port, ended with the file. */
import { type RedisServer, type RedisServerOptions, startRedisServer } from '../../src/faults/redis-server.ts';

export type TestRedis = RedisServer;

export async function startRedis(options: RedisServerOptions = {}): Promise<TestRedis> {
  const server = await startRedisServer(options);
  process.once('exit', server.killNow);
  return server;
}
