/**
 * `npm run demo`: a real Kafka, a real Redis, `sluice up`, and a receiver that counts for itself. Produces page views
 * and shows them on their way. Each number is counted where it happens; none is derived from another.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createKafkaAdmin } from '../src/kafka/admin.ts';
import { kafkaConfig } from '../src/kafka/config.ts';
import { silentLog } from '../src/log.ts';
import { gateState } from '../src/presence/gates.ts';
import { createProducer } from '../src/producer/producer.ts';
import { connect } from '../src/redis/connection.ts';
import { freePort } from '../stack/native.ts';
import { up } from '../stack/stack.ts';
import { type DemoOptions, readOptions, USAGE } from './options.ts';
import { type Production, produce } from './produce.ts';
import { watchQueue } from './queue-watch.ts';
import { startReceiver } from './receiver.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COMMAND = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
const QUEUE = 'page-views';
const LOOK_MS = 250;
const LINE_MS = 2_000;
/** The demo gives up when no count has moved for this long. */
const NO_PROGRESS_MS = 60_000;

async function main(options: DemoOptions): Promise<number> {
  const beganAt = Date.now();
  const stack = await up({ install: true });
  const run = `${process.pid}-${Date.now().toString(36)}`;
  const topic = `demo.${run}`;
  const kafka = kafkaConfig.parse({ brokers: stack.KAFKA_BROKERS.split(','), groupId: `demo-${run}` });
  // A demo queue of its own would need its own workers; its prefix sets it apart from every other run instead.
  const prefix = `demo-${run}`;
  const receiver = await startReceiver(options.dump);
  const admin = createKafkaAdmin(kafka, silentLog);
  await admin.ensureTopics([{ topic, partitions: 6 }]);
  const watch = await watchQueue(stack.REDIS_URL, QUEUE, prefix);
  const port = await freePort();
  const sluice = startSluice({ ...stack, url: receiver.url, topic, groupId: kafka.groupId, prefix, port });
  const redis = connect('demo', { url: stack.REDIS_URL }, 'command', silentLog);
  const stopping = new AbortController();
  process.on('SIGINT', () => stopping.abort());
  process.on('SIGTERM', () => stopping.abort());
  note(`dashboard: http://127.0.0.1:${port}/queues`);

  const production: Production = { acked: 0, badLines: 0 };
  const producer = createProducer({ via: 'kafka', topic, proto: [`${ROOT}proto`], kafka });
  const runningAt = Date.now();
  const setupSeconds = seconds(beganAt);
  let isProduced = false;
  const producing = produce(producer, options, production, stopping.signal).then(() => {
    isProduced = true;
  });
  producing.catch(() => undefined);

  const counts = async () => ({
    produced: production.acked,
    enqueued: watch.created,
    createdTwice: watch.createdTwice,
    completed: watch.completed,
    receivedDistinct: receiver.distinct,
    receivedTotal: receiver.total,
    deadLettered: await lettersIn(`${topic}.dlq`),
  });

  async function lettersIn(letters: string): Promise<number> {
    if (!(await admin.topics()).includes(letters)) return 0;
    return [...(await admin.bounds([letters])).values()].reduce((sum, { low, high }) => sum + high - low, 0);
  }

  async function gate(): Promise<string> {
    const state = await gateState(redis, kafka.groupId, 'main').catch(() => undefined);
    return state?.isOpen ? 'open' : 'closed';
  }

  const isThrough = () =>
    isProduced &&
    watch.created >= production.acked &&
    watch.completed >= production.acked &&
    receiver.distinct >= production.acked;

  let shownAt = Date.now();
  let movedAt = Date.now();
  let before = { sum: -1, received: 0, at: Date.now() };
  let problem = '';
  while (!stopping.signal.aborted && problem === '' && !(options.exit && isThrough())) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (sluice.exitCode !== null) problem = `sluice up ended with exit code ${sluice.exitCode}`;
    await Promise.race([producing, Promise.resolve()]).catch((error: unknown) => {
      problem = `producing failed: ${String(error)}`;
    });
    const sum = production.acked + watch.created + watch.completed + receiver.distinct;
    if (sum !== before.sum) movedAt = Date.now();
    if (options.exit && Date.now() - movedAt > NO_PROGRESS_MS)
      problem = `nothing has moved for ${NO_PROGRESS_MS / 1000} s`;
    if (process.stderr.isTTY || Date.now() - shownAt > LINE_MS) {
      const rate = Math.round(((receiver.total - before.received) / Math.max(1, Date.now() - before.at)) * 1000);
      line(
        `produced ${production.acked} · in Kafka ${Math.max(0, production.acked - watch.created)} · gate ${await gate()} · ` +
          `in queue ${Math.max(0, watch.created - watch.completed)} · done ${watch.completed} · received ${receiver.distinct} · ${rate}/s`,
      );
      shownAt = Date.now();
      before = { sum, received: receiver.total, at: shownAt };
    } else before = { ...before, sum };
  }
  const runSeconds = seconds(runningAt);
  stopping.abort();
  await producing.catch(() => undefined);
  await producer.close();
  await stopSluice(sluice);
  const result = { ...(await counts()), setupSeconds, runSeconds };
  await Promise.all([watch.stop(), receiver.stop(), admin.stop(1_000)]);
  redis.disconnect();
  if (process.stderr.isTTY) process.stderr.write('\n');
  return report(
    result,
    problem ||
      (receiver.refused > 0 ? `the receiver refused ${receiver.refused} requests: ${receiver.lastRefusal}` : ''),
    options,
  );
}

interface Result {
  readonly produced: number;
  readonly enqueued: number;
  readonly createdTwice: number;
  readonly completed: number;
  readonly receivedDistinct: number;
  readonly deadLettered: number;
}

function report(result: Result, problem: string, { exit, json }: DemoOptions): number {
  const { produced, enqueued, createdTwice, completed, receivedDistinct, deadLettered } = result;
  const agrees =
    enqueued === produced &&
    completed === produced &&
    receivedDistinct === produced &&
    createdTwice === 0 &&
    deadLettered === 0;
  if (problem !== '') note(problem);
  else if (exit && !agrees) note('the counts do not agree');
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(18)}${String(value)}\n`);
  return exit && (problem !== '' || !agrees) ? 1 : 0;
}

interface SluiceSettings {
  readonly KAFKA_BROKERS: string;
  readonly REDIS_URL: string;
  readonly url: string;
  readonly topic: string;
  readonly groupId: string;
  readonly prefix: string;
  readonly port: number;
}

function startSluice({ KAFKA_BROKERS, REDIS_URL, url, topic, groupId, prefix, port }: SluiceSettings): ChildProcess {
  const env = {
    ...process.env,
    KAFKA_BROKERS,
    REDIS_URL,
    COLLECTOR_URL: url,
    SLUICE_KAFKA__GROUP_ID: groupId,
    SLUICE_REDIS__MAIN__PREFIX: prefix,
    SLUICE_DASHBOARD__PORT: String(port),
    SLUICE_LOG__LEVEL: process.env.SLUICE_LOG__LEVEL ?? 'warn',
    SLUICE_TOPICS: JSON.stringify({ [topic]: {} }),
  };
  return spawn(process.execPath, [COMMAND, 'up'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
}

async function stopSluice(sluice: ChildProcess): Promise<void> {
  if (sluice.exitCode !== null || sluice.signalCode !== null) return;
  const closed = new Promise((resolve) => sluice.once('close', resolve));
  sluice.kill('SIGTERM');
  await closed;
}

function seconds(since: number): number {
  return Math.round((Date.now() - since) / 100) / 10;
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

function line(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
}

let options: DemoOptions;
try {
  options = readOptions(process.argv.slice(2));
  if (options.input !== undefined && !existsSync(options.input)) throw new Error(`--input: no file ${options.input}`);
} catch (error) {
  note(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exit(2);
}
process.exit(
  await main(options).catch((error: unknown) => {
    note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 1;
  }),
);
