/**
 * What is needed from the system: redis-server, a Java that Kafka accepts, Maven until the jars are there, and, for
 * what is shown with Ruby, a Ruby with Sidekiq. Installs by apt or brew when it may; otherwise fails with one error
 * that says what to install.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { hasJars, MIRROR_VARIABLE } from './jars.ts';

/** Kafka 4 refuses an older one. */
const OLDEST_JAVA = 17;
/** brew links no Java into the PATH. */
const BREW_JAVAS = ['/opt/homebrew/opt/openjdk/bin/java', '/usr/local/opt/openjdk/bin/java'];

interface Tool {
  readonly name: string;
  readonly apt: readonly string[];
  /** Undefined where brew has none. */
  readonly brew?: string;
  isThere(): boolean;
}

const REDIS: Tool = { name: 'redis-server', apt: ['redis-server'], brew: 'redis', isThere: () => runs('redis-server') };
const JAVA: Tool = {
  name: `java (${OLDEST_JAVA} or newer)`,
  apt: ['default-jre-headless'],
  brew: 'openjdk',
  isThere: () => javaCommand() !== undefined,
};
const MAVEN: Tool = { name: 'mvn', apt: ['maven'], brew: 'maven', isThere: () => runs('mvn') };
/** With what its Web needs, Rack and a server to run it, and what Rails puts in front of it. */
const SIDEKIQ: Tool = {
  name: "Ruby's sidekiq, rack, webrick and activejob",
  apt: ['ruby-sidekiq', 'ruby-activejob'],
  isThere: () => requires('sidekiq/web', 'webrick', 'active_job'),
};

export interface Needs {
  readonly kafka: boolean;
  readonly redis: boolean;
  readonly sidekiq?: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

function runs(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function requires(...files: readonly string[]): boolean {
  const lines = files.map((file) => `require "${file}"`);
  return spawnSync('ruby', ['-e', lines.join(';')], { stdio: 'ignore' }).status === 0;
}

/** The first Java that is new enough. */
export function javaCommand(env: Environment = process.env): string | undefined {
  const named = env.JAVA_HOME ? [join(env.JAVA_HOME, 'bin', 'java')] : [];
  return [...named, 'java', ...BREW_JAVAS].find((command) => javaVersion(command) >= OLDEST_JAVA);
}

function javaVersion(command: string): number {
  const { status, stderr } = spawnSync(command, ['-version'], { encoding: 'utf8' });
  return status === 0 ? Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) : 0;
}

export function missingTools(dir: string, needs: Needs, env: Environment = process.env): Tool[] {
  const fetchesByMaven = needs.kafka && !hasJars(dir) && !env[MIRROR_VARIABLE];
  const wanted = [
    ...(needs.redis ? [REDIS] : []),
    ...(needs.kafka ? [JAVA] : []),
    ...(fetchesByMaven ? [MAVEN] : []),
    ...(needs.sidekiq ? [SIDEKIQ] : []),
  ];
  return wanted.filter((tool) => !tool.isThere());
}

export function requireTools(dir: string, needs: Needs, mayInstall: boolean): void {
  const missing = missingTools(dir, needs);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(', ');
  const commands = installCommands(missing);
  if (!mayInstall || commands === undefined) throw new Error(`missing: ${names}. ${remedy(missing, commands)}`);
  for (const command of commands) install(command);
  const still = missingTools(dir, needs).map(({ name }) => name);
  if (still.length > 0)
    throw new Error(`installed (${commands.at(-1)?.join(' ')}), and still missing: ${still.join(', ')}`);
}

function remedy(missing: readonly Tool[], commands: readonly string[][] | undefined): string {
  const how = commands === undefined ? '' : ` (${commands.at(-1)?.join(' ')}), or let --install do it`;
  const mirror = missing.includes(MAVEN) ? `, or name a Maven repository in ${MIRROR_VARIABLE} instead of mvn` : '';
  const gems = missing.includes(SIDEKIQ)
    ? ', or, with a Ruby of your own, `gem install sidekiq rack webrick activejob`'
    : '';
  const servers = missing.every((tool) => tool === SIDEKIQ)
    ? ''
    : ', or start a container engine (docker with compose), or give KAFKA_BROKERS and REDIS_URL of servers that run';
  return `Install them${how}${mirror}${gems}${servers}`;
}

/** Undefined where there is neither apt nor brew, and where brew does not have all. */
function installCommands(missing: readonly Tool[]): string[][] | undefined {
  if (runs('brew') && process.platform === 'darwin') {
    const formulas = missing.flatMap(({ brew }) => brew ?? []);
    return formulas.length < missing.length ? undefined : [['brew', 'install', ...formulas]];
  }
  if (!runs('apt-get')) return undefined;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const packages = missing.flatMap(({ apt }) => apt);
  return [
    [...asRoot, 'apt-get', 'update', '-qq'],
    [...asRoot, 'apt-get', 'install', '-y', '-qq', ...packages],
  ];
}

function install([command = '', ...args]: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, error, stderr } = spawnSync(command, args, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')} failed: ${error?.message ?? stderr.trim()}`);
}
