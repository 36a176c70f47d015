import Fastify from 'fastify';
import { expect, it, vi } from 'vitest';
import { createBoard } from '../../src/dashboard/board.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { startRedis } from '../support/redis.ts';

it('opens a queue anew whose opening failed', async () => {
  const server = await startRedis();
  const connection = connect('main', server, 'command', silentLog);
  await connection.ping();
  server.pause();
  const board = createBoard('/queues');
  const place = { server: 'main', prefix: 'bull', connection };
  board.show('mail', place);
  const app = Fastify();
  await app.register(board.plugin, { prefix: '/queues' });
  expect((await app.inject('/queues/api/queues')).statusCode).toBe(500);
  server.resume();
  await vi.waitFor(
    async () => {
      board.show('mail', place);
      const { queues } = (await app.inject('/queues/api/queues')).json<{ queues: { name: string }[] }>();
      expect(queues).toMatchObject([{ name: 'mail', readOnlyMode: true }]);
    },
    { timeout: 10_000, interval: 50 },
  );
  await app.close();
  await board.close();
  await disconnect(connection);
  await server.stop();
});
