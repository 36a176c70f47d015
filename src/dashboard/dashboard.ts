/**
 * bull-board on fastify, for looking: loopback only, read-only, closed to other sites. It writes nothing to Redis and
 * answers within seconds whatever Redis does; a Redis that hangs gives an error page.
 */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { Queue } from 'bullmq';
import Fastify, { type FastifyInstance } from 'fastify';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { QueueConfig } from '../queue/config.ts';
import type { RedisConfig } from '../redis/config.ts';
import { connect, disconnect, type Redis } from '../redis/connection.ts';
import { type Service, within } from '../service.ts';
import type { DashboardConfig } from './config.ts';
import { guard } from './guard.ts';

type BoardServer = Parameters<typeof createBullBoard>[0]['serverAdapter'];

const BOARD_PATH = '/queues';
const FIND_QUEUES_MS = 10_000;
const SCAN_COUNT = 500;
const MOST_QUEUES = 500;
const ANSWER_WITHIN_MS = 8_000;

export interface DashboardOptions {
  readonly config: DashboardConfig;
  readonly redis: Readonly<Record<string, RedisConfig>>;
  readonly queues: Readonly<Record<string, QueueConfig>>;
  readonly log: Log;
}

export interface Dashboard extends Service {
  /** `http://127.0.0.1:7465`, once started. */
  address(): string;
}

export function createDashboard({ config, redis, queues, log }: DashboardOptions): Dashboard {
  const connections = new Map<string, Redis>();
  const shown = new Map<string, Queue>();
  const app = Fastify({ requestTimeout: ANSWER_WITHIN_MS, forceCloseConnections: true });
  const serverAdapter = new FastifyAdapter();
  serverAdapter.setBasePath(BOARD_PATH);
  // The adapter's own types leave out that its callbacks may be undefined (exactOptionalPropertyTypes).
  const board = createBullBoard({
    queues: [],
    serverAdapter: serverAdapter as unknown as BoardServer,
    options: { uiConfig: { boardTitle: 'Sluice' } },
  });
  let timer: NodeJS.Timeout | undefined;

  function show(name: string, server: string): void {
    const key = `${server}/${name}`;
    if (shown.has(key) || shown.size >= MOST_QUEUES) return;
    const connection = connections.get(server) as Redis;
    const queue = new Queue(name, { connection, prefix: redis[server]?.prefix ?? 'bull', skipMetasUpdate: true });
    queue.on('error', () => undefined);
    shown.set(key, queue);
    board.addQueue(new BullMQAdapter(queue, { readOnlyMode: true }));
  }

  async function findQueues(): Promise<void> {
    for (const [name, { redis: server }] of Object.entries(queues)) show(name, server);
    for (const [server, connection] of connections) {
      const prefix = redis[server]?.prefix ?? 'bull';
      try {
        for (const name of await queueNames(connection, prefix)) show(name, server);
      } catch (error) {
        log.debug({ redis: server, reason: messageOf(error) }, 'queues not listed');
      }
    }
  }

  return {
    async start() {
      for (const [name, settings] of Object.entries(redis))
        connections.set(name, connect(name, settings, 'command', log));
      guard(app);
      addPages(app);
      await app.register(serverAdapter.registerPlugin(), { prefix: BOARD_PATH });
      await within(ANSWER_WITHIN_MS, findQueues());
      timer = setInterval(() => void findQueues(), FIND_QUEUES_MS);
      await listen(app, config);
      log.info({ address: addressOf(app) }, 'dashboard listens');
    },

    async stop(deadlineMs) {
      clearInterval(timer);
      await within(deadlineMs, app.close());
      await Promise.all([...shown.values()].map((queue) => within(1_000, queue.close())));
      await Promise.all([...connections.values()].map(disconnect));
    },

    address: () => addressOf(app),
  };
}

async function listen(app: FastifyInstance, { host, port }: DashboardConfig): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw new SluiceError(
      'CONFIG',
      `dashboard.port: cannot listen on ${host}:${port}: ${messageOf(error)}; choose another port, 0 takes a free one`,
    );
  }
}

function addPages(app: FastifyInstance): void {
  app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(LANDING));
  app.get('/livez', () => ({ status: 'ok' }));
}

function addressOf(app: FastifyInstance): string {
  const address = app.server.address();
  if (address === null || typeof address === 'string') return '';
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

/** Every queue has a `meta` hash. */
async function queueNames(connection: Redis, prefix: string): Promise<string[]> {
  const names: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await connection.scan(cursor, 'MATCH', `${prefix}:*:meta`, 'COUNT', SCAN_COUNT);
    names.push(...keys.map((key) => key.slice(prefix.length + 1, -':meta'.length)));
    cursor = next;
  } while (cursor !== '0' && names.length < MOST_QUEUES);
  return names.sort();
}

const LANDING = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sluice</title>
<style>body{font:16px/1.5 system-ui;margin:3rem auto;max-width:36rem;padding:0 1rem;color-scheme:light dark}</style>
<h1>Sluice</h1>
<p><a href="${BOARD_PATH}">Queues</a>: waiting, running and failed jobs, read-only.</p>
<p>Lag, gate and dead letters: <code>sluice status</code>.</p>
`;
