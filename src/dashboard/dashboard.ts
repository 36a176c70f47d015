/**
 * bull-board on fastify, for looking: loopback only, read-only, closed to other sites. It writes nothing to Redis and
 * answers within seconds whatever Redis does: with an error while Redis is away or hangs, and properly once it is back.
 * A port that is taken keeps it waiting, and nobody else.
 */
import Fastify, { type FastifyInstance } from 'fastify';
import { systemClock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { QueueConfig } from '../queue/config.ts';
import type { RedisConfig } from '../redis/config.ts';
import { connect, disconnect } from '../redis/connection.ts';
import { type Service, within } from '../service.ts';
import { type Board, createBoard, type QueuePlace } from './board.ts';
import type { DashboardConfig } from './config.ts';
import { guard } from './guard.ts';
import { listen } from './listen.ts';
import { addPages } from './pages.ts';
import { createQueueFinder, type QueueFinder } from './queue-finder.ts';

const BOARD_PATH = '/queues';
const FIND_QUEUES_MS = 5_000;
const FIRST_LOOK_MS = 2_000;
const LISTEN_AGAIN_MS = 2_000;
const ANSWER_WITHIN_MS = 8_000;

export interface DashboardOptions {
  readonly config: DashboardConfig;
  readonly redis: Readonly<Record<string, RedisConfig>>;
  readonly queues: Readonly<Record<string, QueueConfig>>;
  readonly log: Log;
}

export interface Dashboard extends Service {
  /** `http://127.0.0.1:7465`; empty while its port is taken. */
  address(): string;
}

interface Place extends QueuePlace {
  readonly finder: QueueFinder;
}

export function createDashboard({ config, redis, queues, log }: DashboardOptions): Dashboard {
  const app = Fastify({
    requestTimeout: ANSWER_WITHIN_MS,
    handlerTimeout: ANSWER_WITHIN_MS,
    forceCloseConnections: true,
  });
  const board = createBoard(BOARD_PATH);
  let places: ReadonlyMap<string, Place> = new Map();
  const stopping = new AbortController();
  const looked = Promise.withResolvers<void>();
  let listening: Promise<void> | undefined;
  let told: string | undefined;

  async function findQueues(): Promise<void> {
    for (const [queue, { redis: server }] of Object.entries(queues)) showIn(places.get(server), queue);
    await Promise.all([...places.values()].map(findIn));
  }

  async function findIn(place: Place): Promise<void> {
    try {
      for (const queue of await place.finder.step()) showIn(place, queue);
    } catch (error) {
      log.debug({ redis: place.server, reason: messageOf(error) }, 'queues not listed');
    }
  }

  function showIn(place: Place | undefined, queue: string): void {
    if (place !== undefined) board.show(queue, place, places.size > 1 ? `${place.server}.` : '');
  }

  /** One look after the other, however long Redis takes. */
  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await findQueues();
      looked.resolve();
      await systemClock.sleep(FIND_QUEUES_MS, stopping.signal);
    }
  }

  /** A port that is taken, perhaps by another `sluice up`, may come free; it is told once, and work goes on meanwhile. */
  async function listenOnceFree(): Promise<void> {
    do await systemClock.sleep(LISTEN_AGAIN_MS, stopping.signal);
    while (!stopping.signal.aborted && !(await listens()));
  }

  async function listens(): Promise<boolean> {
    const problem = await listen(app, config);
    if (problem === undefined) log.info({ address: addressOf(app) }, 'dashboard listens');
    else if (problem !== told) log.warn({ reason: problem }, 'no dashboard for now; trying again');
    told = problem;
    return problem === undefined;
  }

  return {
    async start() {
      places = new Map(Object.entries(redis).map(([server, settings]) => [server, openPlace(server, settings, log)]));
      guard(app);
      addPages(app, new Map([...places].map(([server, { connection }]) => [server, connection])), BOARD_PATH);
      await mount(app, board, places);
      void keepLooking();
      await within(FIRST_LOOK_MS, looked.promise);
      if (!(await listens())) listening = listenOnceFree();
    },

    async stop(deadlineMs) {
      stopping.abort();
      await listening;
      await within(deadlineMs, app.close());
      await board.close();
      await Promise.all([...places.values()].map(({ connection }) => disconnect(connection)));
    },

    address: () => addressOf(app),
  };
}

function openPlace(server: string, settings: RedisConfig, log: Log): Place {
  const { prefix } = settings;
  const connection = connect(server, settings, 'command', log);
  return { server, prefix, connection, finder: createQueueFinder(connection, prefix) };
}

/** Without any Redis the board's requests would wait for one. */
async function mount(app: FastifyInstance, board: Board, places: ReadonlyMap<string, Place>): Promise<void> {
  await app.register(
    async (scope) => {
      scope.addHook('onRequest', async ({ url }, reply) => {
        const isAny = [...places.values()].some(({ connection }) => connection.status === 'ready');
        if (isAny || !url.startsWith(`${BOARD_PATH}/api/`)) return;
        await reply.code(503).send({ error: `Redis does not answer: ${[...places.keys()].join(', ')}` });
      });
      await scope.register(board.plugin);
    },
    { prefix: BOARD_PATH },
  );
}

function addressOf(app: FastifyInstance): string {
  const address = app.server.address();
  if (address === null || typeof address === 'string') return '';
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}
