/** The pages beside the board: the landing page and the probes. They answer whatever Redis does. */
import type { FastifyInstance } from 'fastify';
import type { Redis } from '../redis/connection.ts';
import { within } from '../service.ts';

const PING_WITHIN_MS = 1_000;

/** Connections by the configured names of their Redis. */
export type Connections = ReadonlyMap<string, Redis>;

export function addPages(app: FastifyInstance, connections: Connections, boardPath: string): void {
  app.get('/', async (_request, reply) => {
    const away = await unanswering(connections);
    return reply.type('text/html; charset=utf-8').send(landing(boardPath, away));
  });
  app.get('/livez', () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const away = await unanswering(connections);
    if (away.length === 0) return { status: 'ok' };
    return reply.code(503).send({ status: 'away', redis: away });
  });
}

/** Names of those that do not answer now. */
async function unanswering(connections: Connections): Promise<string[]> {
  const answers = await Promise.all(
    [...connections].map(async ([name, redis]) => ((await doesAnswer(redis)) ? [] : [name])),
  );
  return answers.flat();
}

async function doesAnswer(redis: Redis): Promise<boolean> {
  if (redis.status !== 'ready') return false;
  return (
    (await within(
      PING_WITHIN_MS,
      redis.ping().catch(() => undefined),
    )) !== undefined
  );
}

function landing(boardPath: string, away: readonly string[]): string {
  const warning =
    away.length === 0
      ? ''
      : `<p role="alert"><strong>Redis does not answer: ${escapeHtml(away.join(', '))}.</strong></p>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sluice</title>
<style>body{font:16px/1.5 system-ui;margin:3rem auto;max-width:36rem;padding:0 1rem;color-scheme:light dark}</style>
<h1>Sluice</h1>
${warning}<p><a href="${boardPath}">Queues</a>: waiting, running and failed jobs, read-only.</p>
<p>Lag, gate and dead letters: <code>sluice status</code>.</p>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
