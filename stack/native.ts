/** A Kafka and a Redis as plain processes: redis-server, and a Java with Kafka's jars. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const POM = fileURLToPath(new URL('./pom.xml', import.meta.url));

/** What has to be on the PATH, and the packages that bring it. */
const TOOLS = [
  { command: 'redis-server', check: ['--version'], apt: 'redis-server', brew: 'redis' },
  { command: 'java', check: ['-version'], apt: 'default-jre-headless', brew: 'openjdk' },
  { command: 'mvn', check: ['-v'], apt: 'maven', brew: 'maven' },
] as const;

type Tool = (typeof TOOLS)[number];

function isThere({ command, check }: Tool): boolean {
  return spawnSync(command, check, { stdio: 'ignore' }).status === 0;
}

/** Which tools are needed: Maven only until the jars are there, none for what the environment brings. */
export function missingTools(dir: string, needs: { kafka: boolean; redis: boolean }): Tool[] {
  return TOOLS.filter((tool) => {
    if (tool.command === 'redis-server') return needs.redis && !isThere(tool);
    if (!needs.kafka) return false;
    return !((tool.command === 'mvn' && hasJars(dir)) || isThere(tool));
  });
}

/** Installs by apt or brew when `mayInstall`; throws one error that says what to install otherwise. */
export function requireTools(dir: string, needs: { kafka: boolean; redis: boolean }, mayInstall: boolean): void {
  const missing = missingTools(dir, needs);
  if (missing.length === 0) return;
  const isMac = process.platform === 'darwin';
  const packages = missing.map((tool) => (isMac ? tool.brew : tool.apt));
  const install = isMac ? ['brew', 'install', ...packages] : ['apt-get', 'install', '-y', '-qq', ...packages];
  if (!mayInstall) {
    const names = missing.map(({ command }) => command).join(', ');
    throw new Error(
      `missing: ${names}. Install them (${install.join(' ')}), or let --install do it, ` +
        'or start a container engine, or give KAFKA_BROKERS and REDIS_URL of servers that run',
    );
  }
  if (!isMac) execFileSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [command = '', ...args] = install;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env });
  const still = missingTools(dir, needs);
  if (still.length > 0)
    throw new Error(
      `installed ${packages.join(', ')}, and still missing: ${still.map(({ command: name }) => name).join(', ')}`,
    );
}

function jarsIn(dir: string): string {
  return join(dir, 'jars');
}

function hasJars(dir: string): boolean {
  return existsSync(join(jarsIn(dir), '.complete'));
}

function fetchJars(dir: string): void {
  if (hasJars(dir)) return;
  const jars = jarsIn(dir);
  mkdirSync(jars, { recursive: true });
  const args = [
    '-q',
    '-B',
    '-f',
    POM,
    'dependency:copy-dependencies',
    `-DoutputDirectory=${jars}`,
    '-DincludeScope=runtime',
  ];
  const result = spawnSync('mvn', args, { encoding: 'utf8' });
  if (result.status !== 0)
    throw new Error(`Kafka's jars cannot be fetched by Maven:\n${result.stdout}${result.stderr}`);
  if (!readdirSync(jars).some((name) => name.startsWith('kafka_')))
    throw new Error(`Maven brought no Kafka into ${jars}`);
  writeFileSync(join(jars, '.complete'), '');
}

/** A port that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

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
  ];
  const pid = startProcess('redis-server', args, join(dir, 'redis.log'));
  // Redis rewrites its command line to its name and address.
  return { pid, port, mark: `:${port}` };
}

export async function startKafka(dir: string): Promise<Started> {
  fetchJars(dir);
  const [port, controllerPort] = [await freePort(), await freePort()];
  const data = join(dir, `kafka-${randomUUID().slice(0, 8)}`);
  mkdirSync(data, { recursive: true });
  const properties = join(data, 'server.properties');
  writeFileSync(properties, brokerProperties(join(data, 'log'), port, controllerPort));
  const java = ['-Xms256m', '-Xmx512m', '-cp', `${jarsIn(dir)}/*`];
  const id = execFileSync('java', [...java, 'kafka.tools.StorageTool', 'random-uuid'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  execFileSync('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', id.trim(), '-c', properties], {
    stdio: 'ignore',
  });
  const pid = startProcess('java', [...java, 'kafka.Kafka', properties], join(dir, 'kafka.log'));
  return { pid, port, mark: properties };
}

function brokerProperties(log: string, port: number, controllerPort: number): string {
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
