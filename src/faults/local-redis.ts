/**
 * A Redis of the kit's own behind an address that stays: it can be killed, emptied, put back to what it was, and
 * replaced by a replica that has fallen behind. While its state changes, nobody reaches it, so that the watch knows
 * where each history of it begins.
 */
import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { silentLog } from '../log.ts';
import { connect } from '../redis/connection.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import type { RedisWatch } from './watch/redis.ts';

const MAXMEMORY = '64mb';
const DUMP = 'dump.rdb';
const SNAPSHOTS_KEPT = 12;
const IN_SYNC_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 50;

interface Snapshot {
  readonly file: string;
  /** The watch's branch that it was taken of. */
  readonly branch: number;
  readonly takenAt: number;
}

export interface LocalRedisOptions {
  readonly server: RedisServer;
  /** All ways to it. */
  readonly networks: readonly TcpProxy[];
  readonly watch: RedisWatch;
}

/** `--enable-debug-command`: for loading at a chosen speed. */
export function startLocalServer(): Promise<RedisServer> {
  return startRedisServer({ maxmemory: MAXMEMORY, extra: ['--enable-debug-command', 'local'] });
}

export class LocalRedis {
  readonly #networks: readonly TcpProxy[];
  readonly #watch: RedisWatch;
  #server: RedisServer;
  #replica: RedisServer | undefined;
  #snapshots: Snapshot[] = [];

  constructor({ server, networks, watch }: LocalRedisOptions) {
    this.#server = server;
    this.#networks = networks;
    this.#watch = watch;
  }

  pause(): void {
    this.#server.pause();
  }

  resume(): void {
    this.#server.resume();
  }

  /** kill -9, and started again with nothing. `meanwhile` runs while it is away. */
  async killEmpty(meanwhile: () => Promise<void>): Promise<void> {
    await this.#server.kill();
    await this.#watch.pause();
    await meanwhile();
    await this.#server.restart();
    await this.#watch.begin();
  }

  /** Keeps the present state, to go back to. */
  async snapshot(): Promise<void> {
    const { branch } = this.#watch;
    const file = join(this.#server.dir, `snapshot-${Date.now()}.rdb`);
    await this.#watch.redis.save();
    renameSync(join(this.#server.dir, DUMP), file);
    this.#snapshots = [...this.#snapshots, { file, branch, takenAt: Date.now() }];
    for (const { file: old } of this.#snapshots.splice(0, this.#snapshots.length - SNAPSHOTS_KEPT)) rmSync(old);
  }

  /** kill -9, and started with the youngest snapshot that is at least so old, or the oldest. */
  async restore(ageMs: number): Promise<void> {
    const old = this.#snapshots.filter(({ takenAt }) => takenAt <= Date.now() - ageMs);
    const snapshot = old.at(-1) ?? this.#snapshots[0];
    if (snapshot === undefined) throw new Error('there is no snapshot yet');
    await this.#unreachable(async () => {
      await this.#server.kill();
      const dump = join(this.#server.dir, DUMP);
      copyFileSync(snapshot.file, dump);
      await this.#server.restart();
      rmSync(dump);
      await this.#watch.fork(this.#server.url, snapshot.branch);
    });
  }

  /** A replica that is `behindMs` behind takes over, and its primary is gone. */
  async failOver(behindMs: number): Promise<void> {
    const link = await startTcpProxy({ host: '127.0.0.1', port: this.#server.port });
    const replica = await startLocalServer();
    this.#replica = replica;
    const command = connect('replica', replica, 'command', silentLog);
    try {
      await command.replicaof('127.0.0.1', link.port);
      await until(async () => (await command.info('replication')).includes('master_link_status:up'));
      const { branch } = this.#watch;
      link.cut();
      await systemClock.sleep(behindMs);
      await this.#unreachable(async () => {
        await this.#server.kill();
        await command.replicaof('NO', 'ONE');
        await this.#takeOver(replica, branch);
      });
    } finally {
      command.disconnect();
      await link.stop();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server.stop(), this.#replica?.stop()]);
  }

  killNow(): void {
    this.#server.killNow();
    this.#replica?.killNow();
  }

  async #takeOver(replica: RedisServer, branch: number): Promise<void> {
    const old = this.#server;
    // Snapshots lie in the folder of the server that has them.
    this.#snapshots = [];
    this.#server = replica;
    this.#replica = undefined;
    for (const network of this.#networks) network.retarget({ host: '127.0.0.1', port: replica.port });
    await this.#watch.fork(replica.url, branch);
    await old.stop();
  }

  async #unreachable(change: () => Promise<void>): Promise<void> {
    for (const network of this.#networks) network.cut();
    await this.#watch.pause();
    await change();
    for (const network of this.#networks) network.mend();
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + IN_SYNC_WITHIN_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('the replica does not get in sync');
    await systemClock.sleep(LOOK_AGAIN_MS);
  }
}
