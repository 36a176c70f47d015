/**
 * bull-board's queues: those of the configuration and those found in Redis. They are opened so that nothing is written.
 * A queue whose opening failed is opened anew; BullMQ itself would hold on to the failure.
 */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { Queue } from 'bullmq';
import type { Redis } from '../redis/connection.ts';
import { within } from '../service.ts';

type BoardServer = Parameters<typeof createBullBoard>[0]['serverAdapter'];

/** Each shown queue is asked for its counts at every poll of every open page. */
const MOST_QUEUES = 500;
const CLOSE_WITHIN_MS = 1_000;

/** The Redis that a queue is in. */
export interface QueuePlace {
  /** Configured name. */
  readonly server: string;
  readonly prefix: string;
  readonly connection: Redis;
}

export interface Board {
  readonly plugin: ReturnType<FastifyAdapter['registerPlugin']>;
  /** `title` tells it from a queue of the same name in another Redis. Does nothing when it is there. */
  show(queue: string, place: QueuePlace, title?: string): void;
  close(): Promise<void>;
}

export function createBoard(basePath: string): Board {
  const shown = new Map<string, Queue>();
  const serverAdapter = new FastifyAdapter();
  serverAdapter.setBasePath(basePath);
  const board = createBullBoard({
    queues: [],
    // The adapter's own types leave out that its callbacks may be undefined (exactOptionalPropertyTypes).
    serverAdapter: serverAdapter as unknown as BoardServer,
    // Asking for workers is one CLIENT LIST for each queue at every poll.
    options: { uiConfig: { boardTitle: 'Sluice', showWorkers: false, hideDocsLink: true } },
  });

  return {
    plugin: serverAdapter.registerPlugin(),

    show(name, { server, prefix, connection }, title = '') {
      const key = `${server}/${name}`;
      if (shown.has(key) || shown.size >= MOST_QUEUES) return;
      const queue = new Queue(name, { connection, prefix, skipMetasUpdate: true });
      queue.on('error', () => undefined);
      const adapter = new BullMQAdapter(queue, { readOnlyMode: true, prefix: title });
      // One Redis that is away must not hide the queues of the others.
      adapter.setVisibilityGuard(() => connection.status === 'ready');
      shown.set(key, queue);
      board.addQueue(adapter);
      queue.waitUntilReady().catch(() => {
        shown.delete(key);
        board.removeQueue(adapter);
      });
    },

    async close() {
      await Promise.all([...shown.values()].map((queue) => within(CLOSE_WITHIN_MS, queue.close())));
    },
  };
}
