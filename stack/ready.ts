/** Waits until a server truly answers: a broker with its metadata, a Redis with PONG. */
import { Socket } from 'node:net';
import { createKafkaAdmin } from '../src/kafka/admin.ts';
import { kafkaConfig } from '../src/kafka/config.ts';
import { silentLog } from '../src/log.ts';
import { within } from '../src/service.ts';

const LOOK_AGAIN_MS = 200;
const ANSWER_WITHIN_MS = 2_000;

export async function kafkaAnswers(brokers: readonly string[]): Promise<boolean> {
  const admin = createKafkaAdmin(kafkaConfig.parse({ brokers, clientId: 'sluice-stack' }), silentLog, 0);
  try {
    return (await within(ANSWER_WITHIN_MS, admin.clusterId())) !== undefined;
  } catch {
    return false;
  } finally {
    await admin.stop(ANSWER_WITHIN_MS);
  }
}

export function redisAnswers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = new Socket();
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('data', (data) => end(/^[+-]/.test(data.toString())));
    socket.connect(Number(port || 6379), hostname, () => socket.write('PING\r\n'));
  });
}

/** Rejects after `ms`, naming what did not answer. */
export async function waitFor(what: string, ms: number, answers: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await answers())) {
    if (Date.now() > deadline) throw new Error(`${what} does not answer after ${ms / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
