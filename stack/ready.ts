/** Waits until a server truly answers: a broker with its metadata, a Redis with PONG. */
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
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
  const { protocol, hostname, port } = new URL(url);
  const to = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) };
  return new Promise((resolve) => {
    const greet = () => socket.write('PING\r\n');
    // Whether it answers is asked here, not whether it is to be trusted: that is for the client with its own settings.
    const socket =
      protocol === 'rediss:' ? connectTls({ ...to, rejectUnauthorized: false }, greet) : connect(to, greet);
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('data', (data) => end(/^[+-]/.test(data.toString())));
  });
}

/**
 * Rejects after `ms`, naming what did not answer, or at once when `died` knows a reason why it never will.
 */
export async function waitFor(
  what: string,
  ms: number,
  answers: () => Promise<boolean>,
  died: () => string | undefined = () => undefined,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await answers())) {
    const reason = died() ?? (Date.now() > deadline ? `no answer after ${ms / 1000} s` : undefined);
    if (reason !== undefined) throw new Error(`${what} does not answer: ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
