/** Sluice's host on Sidekiq queues, in the test's own process. Hosts that still run are stopped with the test. */
import { afterEach } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { workerSet } from '../../src/definition/discover.ts';
import type { SidekiqWorkerDefinition } from '../../src/definition/sidekiq-worker.ts';
import { type Log, silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { Redis } from '../../src/redis/connection.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import type { Host } from '../../src/worker/host.ts';
import { createSidekiqHost, type SidekiqHostOptions } from '../../src/worker/hosts/sidekiq.ts';
import { ROOT } from './sluice.ts';

const schemas = loadSchemas([`${ROOT}proto`]);
const hosts = new Set<Host>();

afterEach(async () => {
  await Promise.all([...hosts].map((host) => host.stop(100)));
  hosts.clear();
});

/** `connection`: one for commands. */
export async function startSidekiqHost(
  connection: Redis,
  // biome-ignore lint/suspicious/noExplicitAny: a definition of any message
  definitions: readonly SidekiqWorkerDefinition<any>[],
  options: Partial<SidekiqHostOptions> & { readonly warn?: Log['warn']; readonly info?: Log['info'] } = {},
): Promise<Host> {
  const { warn = silentLog.warn, info = silentLog.info, ...more } = options;
  const host = createSidekiqHost({
    connection,
    workers: workerSet(definitions.map((definition) => ({ file: '', definition }))).sidekiq,
    schemas,
    dialect: '7',
    concurrency: 5,
    onTerm: () => undefined,
    portFor: () => ({ track: async () => undefined }),
    log: { ...silentLog, warn, info },
    metrics: createMetrics(),
    clock: systemClock,
    ...more,
  });
  hosts.add(host);
  await host.start();
  return host;
}
