/** The stack in containers, by the shipped compose.yaml, on ports of its own. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { freePort } from '../src/faults/free-port.ts';

const FILE = fileURLToPath(new URL('../compose.yaml', import.meta.url));
const ENGINE_WITHIN_MS = 5_000;

export interface Containers {
  readonly project: string;
  readonly kafkaPort: number;
  readonly redisPort: number;
}

/** An engine that answers, and a compose to drive it; a docker command alone is neither. */
export function engineRuns(): boolean {
  return [['info'], ['compose', 'version']].every(
    (args) => spawnSync('docker', args, { stdio: 'ignore', timeout: ENGINE_WITHIN_MS }).status === 0,
  );
}

export async function newContainers(dir: string): Promise<Containers> {
  const [kafkaPort, redisPort] = [await freePort(), await freePort()];
  const project = `sluice-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`;
  return { project, kafkaPort, redisPort };
}

export function containersUp(containers: Containers): void {
  compose(containers, ['up', '--detach', '--wait']);
}

export function containersDown(containers: Containers): void {
  compose(containers, ['down', '--volumes']);
}

function compose({ project, kafkaPort, redisPort }: Containers, args: readonly string[]): void {
  const ports = { SLUICE_STACK_KAFKA_PORT: String(kafkaPort), SLUICE_STACK_REDIS_PORT: String(redisPort) };
  const env = { ...process.env, ...ports };
  const { status, error, stderr } = spawnSync('docker', ['compose', '-p', project, '-f', FILE, ...args], {
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`docker compose ${args[0]} failed:\n${error?.message ?? stderr}`);
}
