/** The Kafka of the whole test run: brought up once, or the one that the environment names. */

import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { addressesOf, down, readState, stackDir, status, up } from '../../stack/stack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    kafkaBrokers: string;
  }
}

/** vitest's global set-up of the project `real`: Kafka, and what tests with Ruby need. Takes down only what it started. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const wasUp = (await status()).kafka.answers;
  const { KAFKA_BROKERS } = await up({ install: true, sidekiq: true });
  project.provide('kafkaBrokers', KAFKA_BROKERS);
  return async () => {
    if (!wasUp && addressesOf(readState(stackDir())).KAFKA_BROKERS !== undefined) await down();
  };
}

export function kafkaBrokers(): string[] {
  return inject('kafkaBrokers').split(',');
}
