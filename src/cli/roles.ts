/** The roles that run until they are told to stop, each as a service, from configuration. */
import { hostname } from 'node:os';
import { createBridge } from '../bridge/bridge.ts';
import { createCollector } from '../collector/collector.ts';
import { portFor } from '../collector/port.ts';
import { type BeaconService, createBeacon } from '../presence/beacons.ts';
import { createGateRecorder } from '../presence/gates.ts';
import { createLossRecorder } from '../presence/losses.ts';
import { createResetOrders } from '../presence/reset-orders.ts';
import { hearBullWarnings } from '../queue/bullmq/warnings.ts';
import type { RedisConfig } from '../redis/config.ts';
import { connect, disconnect, type Redis } from '../redis/connection.ts';
import type { Service } from '../service.ts';
import { createWork } from '../worker/work.ts';
import { type Context, schemasFor, workersFor } from './context.ts';
import { noWorkers, topicsWithoutTakers, unfedWorkers, unknownMessages } from './feeding.ts';

export const ROLES = ['bridge', 'work', 'dashboard'] as const;
export type Role = (typeof ROLES)[number];

export interface RoleEnd {
  /** It cannot go on. */
  readonly onFatal: (error: Error) => void;
  /** It was asked to end. */
  readonly onTerm: () => void;
}

type MakeRole = (context: Context, end: RoleEnd) => Promise<Service>;

const MAKE: Readonly<Record<Role, MakeRole>> = { bridge: makeBridge, work: makeWork, dashboard: makeDashboard };

export function makeRole(role: Role, context: Context, end: RoleEnd): Promise<Service> {
  hearBullWarnings(context.log);
  return MAKE[role](context, end);
}

async function makeBridge(context: Context, { onFatal }: RoleEnd): Promise<Service> {
  const { config, log, metrics, clock } = context;
  const schemas = schemasFor(config);
  const workers = await workersFor(config, schemas);
  const orphans = topicsWithoutTakers(config, workers);
  if (orphans.length > 0) log.warn({ topics: orphans }, noWorkers(config, orphans));
  const unknown = unknownMessages(config, schemas);
  if (unknown !== undefined) log.warn({ reason: unknown }, 'records of unknown messages become dead letters');
  const unfed = unfedWorkers(config, workers);
  if (unfed !== undefined) log.warn({ reason: unfed }, 'some workers are fed by no topic');
  const redis = connect('main', mainRedis(context), 'command', log);
  const gates = createGateRecorder(redis, { group: config.kafka.groupId, by: identity() }, clock);
  const losses = createLossRecorder(redis, config.kafka.groupId, clock);
  const bridge = createBridge({
    config,
    schemas,
    treatment: (type) => workers.get(type),
    log,
    metrics,
    clock,
    onFatal,
    onGate: (view) => {
      gates.record(view);
      beacon.changed();
    },
    onPartitions: () => beacon.changed(),
    onLoss: losses.record,
    orders: createResetOrders(redis, config.kafka.groupId),
  });
  const beacon = beaconOf('bridge', redis, context, () => bridge.view());
  return inOrder([beacon, gates, losses, bridge], () => disconnect(redis));
}

async function makeWork(context: Context, { onTerm }: RoleEnd): Promise<Service> {
  const { config, log, metrics, clock } = context;
  const schemas = schemasFor(config);
  const workers = await workersFor(config, schemas);
  const collector = createCollector(config.collector, { log, metrics, clock });
  const work = createWork({
    config,
    workers,
    schemas,
    portFor: (eventId, signal) => portFor(collector, eventId, signal),
    onTerm,
    log,
    metrics,
    clock,
  });
  const redis = connect('main', mainRedis(context), 'command', log);
  const beacon = beaconOf('work', redis, context, () => ({ busy: work.busy() }));
  return inOrder([beacon, collector, work], () => disconnect(redis));
}

async function makeDashboard(context: Context): Promise<Service> {
  const { config, log } = context;
  const { createDashboard } = await import('../dashboard/dashboard.ts');
  const dashboard = createDashboard({ config: config.dashboard, redis: config.redis, queues: config.queues, log });
  const redis = connect('main', mainRedis(context), 'command', log);
  const beacon = beaconOf('dashboard', redis, context, () => ({ address: dashboard.address() }));
  return inOrder([dashboard, beacon], () => disconnect(redis));
}

/** Beats first and last: a role that waits for Kafka or Redis is alive. */
function beaconOf(role: Role, redis: Redis, { config, clock }: Context, detail: () => unknown): BeaconService {
  const group = config.kafka.groupId;
  return createBeacon(redis, { group, role, id: `${role}-${identity()}`, detail }, clock);
}

function mainRedis({ config }: Context): RedisConfig {
  return config.redis.main as RedisConfig;
}

function identity(): string {
  return `${hostname()}-${process.pid}`;
}

/** Starts in the given order, stops in the reverse one. */
function inOrder(services: readonly Service[], afterwards: () => Promise<void>): Service {
  return {
    async start() {
      for (const service of services) await service.start();
    },
    async stop(deadlineMs) {
      for (const service of [...services].reverse()) await service.stop(deadlineMs);
      await afterwards();
    },
  };
}
