/** A Kafka of the kit's own, which it may kill and start again: in the run's folder, with the jars of the stack. */
import { join } from 'node:path';
import type { BrokerControl } from '../src/faults/world.ts';
import { formatBroker, isAlive, runBroker, type Started } from '../stack/native.ts';
import { kafkaAnswers, waitFor } from '../stack/ready.ts';
import { stackDir } from '../stack/stack.ts';
import { requireTools } from '../stack/tools.ts';

const ANSWERS_WITHIN_MS = 90_000;
const LOOK_AGAIN_MS = 50;

export interface OwnBroker extends BrokerControl {
  readonly brokers: readonly string[];
  /** Without waiting. */
  killNow(): void;
}

export async function startBroker(dir: string): Promise<OwnBroker> {
  const stack = stackDir();
  requireTools(stack, { kafka: true, redis: true }, true);
  const broker = await formatBroker(stack, join(dir, 'kafka'));
  const brokers = [`127.0.0.1:${broker.port}`];
  let running: Started;

  async function start(): Promise<void> {
    running = runBroker(stack, broker, join(dir, 'kafka.log'));
    await waitFor('Kafka', ANSWERS_WITHIN_MS, () => kafkaAnswers(brokers));
  }

  function killNow(): void {
    if (isAlive(running.pid, running.mark)) process.kill(running.pid, 'SIGKILL');
  }

  await start();
  return {
    brokers,
    start,
    killNow,
    async kill() {
      killNow();
      while (isAlive(running.pid, running.mark)) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    },
  };
}
