/** A Kafka and a Redis as plain processes: redis-server, and a Java with Kafka's jars. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort } from '../src/faults/free-port.ts';
import { fetchJars, jarsIn } from './jars.ts';
import { javaCommand } from './tools.ts';

export interface Started {
  readonly pid: number;
  readonly port: number;
  /** Part of its command line that no other process has. */
  readonly mark: string;
}

/** `log` takes what the process prints. The process outlives this one. */
function startProcess(command: string, args: readonly string[], log: string): number {
  mkdirSync(dirname(log), { recursive: true });
  const out = openSync(log, 'a');
  const child = spawn(command, args, { detached: true, stdio: ['ignore', out, out] });
  child.on('error', () => undefined);
  child.unref();
  closeSync(out);
  if (child.pid === undefined) throw new Error(`${command} cannot be started; see ${log}`);
  return child.pid;
}

export async function startRedis(dir: string): Promise<Started> {
  const port = await freePort();
  const data = join(dir, 'redis');
  mkdirSync(data, { recursive: true });
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--maxmemory-policy',
    'noeviction',
    '--dir',
    data,
    // Else it rewrites its command line to its name and address, a moment after its start.
    '--set-proc-title',
    'no',
  ];
  const pid = startProcess('redis-server', args, join(dir, 'redis.log'));
  return { pid, port, mark: data };
}

/** A formatted broker, ready to be started as often as it ends. */
export interface Broker {
  readonly port: number;
  /** Its file of settings, in a folder of its data. */
  readonly properties: string;
}

export async function startKafka(dir: string): Promise<Started> {
  const broker = await formatBroker(dir, join(dir, `kafka-${randomUUID().slice(0, 8)}`));
  return runBroker(dir, broker, join(dir, 'kafka.log'));
}

/**
 * A UUID in base64url; made here, because another JVM takes a second. Kafka's own do not begin with a dash either: to the
 * tool that would be an option.
 */
export function newClusterId(): string {
  const id = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  return id.startsWith('-') ? newClusterId() : id;
}

/** `dir` holds Kafka's jars, `data` is the broker's own. */
export async function formatBroker(dir: string, data: string): Promise<Broker> {
  await fetchJars(dir);
  const [port, controllerPort] = [await freePort(), await freePort()];
  mkdirSync(data, { recursive: true });
  const properties = join(data, 'server.properties');
  writeFileSync(properties, brokerProperties(join(data, 'log'), port, controllerPort));
  const format = [...javaOptions(dir), 'kafka.tools.StorageTool', 'format', '-t', newClusterId(), '-c', properties];
  execFileSync(java(), format, { stdio: ['ignore', 'ignore', 'pipe'] });
  return { port, properties };
}

export function runBroker(dir: string, { port, properties }: Broker, log: string): Started {
  const pid = startProcess(java(), [...javaOptions(dir), 'kafka.Kafka', properties], log);
  return { pid, port, mark: properties };
}

function java(): string {
  return javaCommand() ?? 'java';
}

function javaOptions(dir: string): string[] {
  return ['-Xms256m', '-Xmx512m', '-cp', `${jarsIn(dir)}/*`];
}

export function brokerProperties(log: string, port: number, controllerPort: number): string {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names=CONTROLLER',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `log.dirs=${log}`,
    'num.partitions=6',
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=5',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    // Tests that kill members do not want to wait for long sessions.
    'group.min.session.timeout.ms=1000',
    'message.max.bytes=4194304',
    'auto.create.topics.enable=false',
    '',
  ].join('\n');
}

/**
 * Whether a process is the one that was started: ids are used again by the system, so its command line must hold
 * `mark`. A process that has ended and was not yet collected has none.
 */
export function isAlive(pid: number, mark: string): boolean {
  const proc = `/proc/${pid}/cmdline`;
  if (existsSync('/proc/self/cmdline')) return existsSync(proc) && commandLine(proc).includes(mark);
  const { stdout, status } = spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  return status === 0 && stdout.includes(mark);
}

function commandLine(proc: string): string {
  try {
    return readFileSync(proc, 'utf8');
  } catch {
    return '';
  }
}
