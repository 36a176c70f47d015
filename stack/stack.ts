/**
 * A real Kafka and a real Redis on loopback, for development, demo and tests. Containers where an engine runs, plain
 * processes elsewhere; what the environment names (KAFKA_BROKERS, REDIS_URL) is used as it is. `up` may be called
 * again, also at the same time; `down` ends only what `up` started.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addressProblem } from '../src/redis/address.ts';
import { type Containers, containersDown, containersUp, engineRuns, newContainers } from './compose.ts';
import { withLock } from './lock.ts';
import { isAlive, type Started, startKafka, startRedis } from './native.ts';
import { kafkaAnswers, redisAnswers, waitFor } from './ready.ts';
import { type Needs, requireTools } from './tools.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const KAFKA_WITHIN_MS = 90_000;
const REDIS_WITHIN_MS = 15_000;
/** Servers that the environment names are there already. */
const NAMED_WITHIN_MS = 10_000;
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
  /** Whether a Ruby with Sidekiq is wanted beside the servers. */
  readonly sidekiq?: boolean;
  /** Environment that may name servers to be used as they are. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** What `up` started; absent parts came from the environment. */
interface State {
  readonly kafka?: Started;
  readonly redis?: Started;
  readonly compose?: Containers;
}

export function stackDir({ dir, env = process.env }: StackOptions = {}): string {
  return resolve(dir ?? env.SLUICE_STACK_DIR ?? join(ROOT, '.stack'));
}

export async function up(options: StackOptions = {}): Promise<StackAddresses> {
  const dir = stackDir(options);
  mkdirSync(dir, { recursive: true });
  return withLock(dir, async () => {
    if (options.sidekiq) requireTools(dir, { kafka: false, redis: false, sidekiq: true }, options.install === true);
    const state = await completed(dir, needsOf(options), options.install === true);
    const addresses = addressesOf(state, options) as StackAddresses;
    const brokers = addresses.KAFKA_BROKERS.split(',');
    const kafka = waiting(`Kafka at ${brokers}`, 'KAFKA_BROKERS', KAFKA_WITHIN_MS, options);
    const redis = waiting('Redis', 'REDIS_URL', REDIS_WITHIN_MS, options);
    await Promise.all([
      waitFor(kafka.who, kafka.ms, () => kafkaAnswers(brokers), diedOf(state.kafka, dir, 'kafka')),
      waitFor(redis.who, redis.ms, () => redisAnswers(addresses.REDIS_URL), diedOf(state.redis, dir, 'redis')),
    ]);
    return addresses;
  });
}

function waiting(who: string, variable: keyof StackAddresses, ms: number, options: StackOptions) {
  return isNamed(variable, options) ? { who: `${who} (${unsetting(variable)})`, ms: NAMED_WITHIN_MS } : { who, ms };
}

/** Whether the environment says which server to use. */
export function isNamed(variable: keyof StackAddresses, { env = process.env }: StackOptions = {}): boolean {
  return Boolean(env[variable]);
}

/** For a shell that has kept the addresses of a stack that was taken down. */
export function unsetting(variable: keyof StackAddresses): string {
  return `the address is from ${variable}: unset it to have one started here`;
}

/** Tells why a server that was started here will not answer any more; undefined while it may. */
function diedOf(started: Started | undefined, dir: string, name: string): () => string | undefined {
  return () => {
    if (started === undefined || isAlive(started.pid, started.mark)) return undefined;
    const log = join(dir, `${name}.log`);
    return `it ended; the last lines of ${log}:\n${readFileSync(log, 'utf8').split('\n').slice(-12).join('\n')}`;
  };
}

/** Ends what was started, and removes its data but not the jars. */
export async function down(options: StackOptions = {}): Promise<void> {
  const dir = stackDir(options);
  if (!existsSync(dir)) return;
  await withLock(dir, async () => {
    const { kafka, redis, compose: containers } = readState(dir);
    if (containers !== undefined) containersDown(containers);
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
  const problem = url ? addressProblem('REDIS_URL', url) : undefined;
  if (problem !== undefined) throw new Error(problem);
  return { ...(brokers && { KAFKA_BROKERS: brokers }), ...(url && { REDIS_URL: url }) };
}

export function readState(dir: string): State {
  const file = join(dir, 'state.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as State) : {};
}

/** Written after each step, and in one piece: whatever fails next, `down` finds what runs. */
function save(dir: string, state: State): State {
  const file = join(dir, 'state.json');
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, file);
  return state;
}

function needsOf(options: StackOptions): Needs {
  return { kafka: !isNamed('KAFKA_BROKERS', options), redis: !isNamed('REDIS_URL', options) };
}

/** The state with everything running that is needed and was not. */
async function completed(dir: string, needs: Needs, mayInstall: boolean): Promise<State> {
  const before = readState(dir);
  if (!needs.kafka && !needs.redis) return before;
  const native = stillRunning(before);
  const isFresh = native.kafka === undefined && native.redis === undefined;
  if (before.compose !== undefined || (isFresh && needs.kafka && needs.redis && engineRuns()))
    return composed(dir, before);
  return startedNatively(dir, native, needs, mayInstall);
}

function stillRunning({ kafka, redis }: State): State {
  return {
    ...(kafka && isAlive(kafka.pid, kafka.mark) && { kafka }),
    ...(redis && isAlive(redis.pid, redis.mark) && { redis }),
  };
}

async function startedNatively(dir: string, running: State, needs: Needs, mayInstall: boolean): Promise<State> {
  const missing = {
    kafka: needs.kafka && running.kafka === undefined,
    redis: needs.redis && running.redis === undefined,
  };
  requireTools(dir, missing, mayInstall);
  let state = running;
  if (missing.redis) state = save(dir, { ...state, redis: await startRedis(dir) });
  if (missing.kafka) state = save(dir, { ...state, kafka: await startKafka(dir) });
  return state;
}

async function composed(dir: string, state: State): Promise<State> {
  const compose = state.compose ?? (await newContainers(dir));
  save(dir, { compose });
  containersUp(compose);
  return { compose };
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
