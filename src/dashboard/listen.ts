/** The dashboard's port: why it cannot be had, in words that name the setting to change. Nothing here throws. */
import { createServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { messageOf } from '../errors.ts';
import type { DashboardConfig } from './config.ts';

/** Listens, or says why not. May be called again after it could not. */
export function listen(app: FastifyInstance, { host, port }: DashboardConfig): Promise<string | undefined> {
  return problemOf(app.listen({ host, port }), host, port);
}

/** What `listen` would say now. */
export async function portProblem({ host, port }: DashboardConfig): Promise<string | undefined> {
  const server = createServer();
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ host, port }, resolve);
  });
  const problem = await problemOf(listening, host, port);
  await new Promise((resolve) => server.close(resolve));
  return problem;
}

async function problemOf(listening: Promise<unknown>, host: string, port: number): Promise<string | undefined> {
  try {
    await listening;
    return undefined;
  } catch (error) {
    const isTaken = Reflect.get(Object(error), 'code') === 'EADDRINUSE';
    return (
      `${host}:${port} ${isTaken ? 'is taken by another program' : `cannot be listened on (${messageOf(error)})`}; ` +
      'for a dashboard, set SLUICE_DASHBOARD__PORT (dashboard.port) to a free port, or to 0 for any'
    );
  }
}
