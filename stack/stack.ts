/**
 * A real Kafka and a real Redis on loopback, for development, demo and tests. Containers where an engine runs, plain
 * processes elsewhere; what the environment names (KAFKA_BROKERS, REDIS_URL) is used as it is. `up` may be called
 * again, also at the same time; `down` ends only what `up` started.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, isAlive, requireTools, type Started, startKafka, startRedis } from './native.ts';
import { kafkaAnswers, redisAnswers, waitFor } from './ready.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const KAFKA_WITHIN_MS = 90_000;
const REDIS_WITHIN_MS = 15_000;
const LOCK_WITHIN_MS = 300_000;
const STOP_WITHIN_MS = 15_000;

export interface StackAddresses {
  readonly KAFKA_BROKERS: string;
  readonly REDIS_URL: string;
}

export interface StackOptions {
  /** Folder of the state. Default: SLUICE_STACK_DIR, or `.stack` in the project. */
  readonly dir?: string;
  /** Whether missing system packages may be installed. */
  readonly install?: boolean;
  /** Environment that may name servers to be used as they are. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** What `up` started; absent parts came from the environment. */
interface State {
  readonly kafka?: Started;
  readonly redis?: Started;
  readonly compose?: { readonly project: string; readonly kafkaPort: number; readonly redisPort: number };
}

export function stackDir({ dir, env = process.env }: StackOptions = {}): string {
  return resolve(dir ?? env.SLUICE_STACK_DIR ?? join(ROOT, '.stack'));
}

export async function up(options: StackOptions = {}): Promise<StackAddresses> {
  const dir = stackDir(options);
  mkdirSync(dir, { recursive: true });
  return withLock(dir, async () => {
    const needs = needsOf(options);
    const state = await completed(dir, readState(dir), needs, options.install === true);
    writeFileSync(join(dir, 'state.json'), JSON.stringify(state));
    const addresses = addressesOf(state, options) as StackAddresses;
    await Promise.all([
      waitFor(`Kafka at ${addresses.KAFKA_BROKERS}`, KAFKA_WITHIN_MS, () =>
        kafkaAnswers(addresses.KAFKA_BROKERS.split(',')),
      ),
      waitFor('Redis', REDIS_WITHIN_MS, () => redisAnswers(addresses.REDIS_URL)),
    ]);
    return addresses;
  });
}

/** Ends what was started, and removes its data but not the jars. */
export async function down(options: StackOptions = {}): Promise<void> {
  const dir = stackDir(options);
  if (!existsSync(dir)) return;
  await withLock(dir, async () => {
    const { kafka, redis, compose: containers } = readState(dir);
    if (containers !== undefined) compose(containers, ['down', '--volumes']);
    await Promise.all([end(kafka), end(redis)]);
    for (const name of readdirSync(dir))
      if (/^kafka-|^redis$|^state\.json$/.test(name)) rmSync(join(dir, name), { recursive: true, force: true });
  });
}

export async function status(options: StackOptions = {}) {
  const addresses = addressesOf(readState(stackDir(options)), options);
  const { KAFKA_BROKERS, REDIS_URL } = addresses;
  return {
    kafka: {
      address: KAFKA_BROKERS,
      answers: KAFKA_BROKERS !== undefined && (await kafkaAnswers(KAFKA_BROKERS.split(','))),
    },
    redis: { address: REDIS_URL, answers: REDIS_URL !== undefined && (await redisAnswers(REDIS_URL)) },
  };
}

export function addressesOf(
  { kafka, redis, compose: containers }: State,
  { env = process.env }: StackOptions = {},
): Partial<StackAddresses> {
  const kafkaPort = kafka?.port ?? containers?.kafkaPort;
  const redisPort = redis?.port ?? containers?.redisPort;
  const brokers = env.KAFKA_BROKERS || (kafkaPort && `127.0.0.1:${kafkaPort}`);
  const url = env.REDIS_URL || (redisPort && `redis://127.0.0.1:${redisPort}`);
  return { ...(brokers && { KAFKA_BROKERS: brokers }), ...(url && { REDIS_URL: url }) };
}

export function readState(dir: string): State {
  const file = join(dir, 'state.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as State) : {};
}

interface Needs {
  readonly kafka: boolean;
  readonly redis: boolean;
}

function needsOf({ env = process.env }: StackOptions): Needs {
  return { kafka: !env.KAFKA_BROKERS, redis: !env.REDIS_URL };
}

async function completed(dir: string, state: State, needs: Needs, mayInstall: boolean): Promise<State> {
  if (!needs.kafka && !needs.redis) return state;
  if (state.compose !== undefined || (engineRuns() && needs.kafka && needs.redis && state.kafka === undefined))
    return composed(dir, state);
  const kafka = state.kafka && isAlive(state.kafka.pid, state.kafka.mark) ? state.kafka : undefined;
  const redis = state.redis && isAlive(state.redis.pid, state.redis.mark) ? state.redis : undefined;
  const wanted = { kafka: needs.kafka && kafka === undefined, redis: needs.redis && redis === undefined };
  requireTools(dir, wanted, mayInstall);
  const startedRedis = wanted.redis ? await startRedis(dir) : redis;
  const startedKafka = wanted.kafka ? await startKafka(dir) : kafka;
  return { ...(startedKafka && { kafka: startedKafka }), ...(startedRedis && { redis: startedRedis }) };
}

function engineRuns(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 5_000 }).status === 0;
}

async function composed(dir: string, state: State): Promise<State> {
  const containers = state.compose ?? {
    project: `sluice-${Buffer.from(dir).toString('hex').slice(-12)}`,
    kafkaPort: await freePort(),
    redisPort: await freePort(),
  };
  compose(containers, ['up', '--detach', '--wait']);
  return { compose: containers };
}

function compose({ project, kafkaPort, redisPort }: NonNullable<State['compose']>, args: readonly string[]): void {
  const env = {
    ...process.env,
    SLUICE_STACK_KAFKA_PORT: String(kafkaPort),
    SLUICE_STACK_REDIS_PORT: String(redisPort),
  };
  const result = spawnSync('docker', ['compose', '-p', project, '-f', join(ROOT, 'compose.yaml'), ...args], {
    env,
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(`docker compose ${args[0]} failed:\n${result.stderr}`);
}

async function end(started: Started | undefined): Promise<void> {
  if (started === undefined || !isAlive(started.pid, started.mark)) return;
  process.kill(started.pid, 'SIGTERM');
  const deadline = Date.now() + STOP_WITHIN_MS;
  while (isAlive(started.pid, started.mark)) {
    if (Date.now() > deadline) process.kill(started.pid, 'SIGKILL');
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** One at a time, across processes; a lock whose owner is gone is taken over. */
async function withLock<T>(dir: string, work: () => Promise<T>): Promise<T> {
  const lock = join(dir, 'lock');
  const deadline = Date.now() + LOCK_WITHIN_MS;
  while (!takeLock(lock)) {
    if (Date.now() > deadline) throw new Error(`another process works on the stack; if not, remove ${lock}`);
    await new Promise((done) => setTimeout(done, 100));
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
    if (owner > 0 && !isAlive(owner, '')) rmSync(lock, { force: true });
    return false;
  }
}
