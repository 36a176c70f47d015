/** Where an address that does not answer is from, and how to name another. */
import type { LoadedConfig } from './config/load.ts';

const STACK = 'In a clone, `npm run stack -- up` starts one, and `eval "$(npm run -s stack -- env)"` names it.';

export function kafkaHint({ config, sourceOf }: LoadedConfig): string {
  return hint(config.kafka.brokers.join(', '), sourceOf(['kafka', 'brokers']), 'KAFKA_BROKERS');
}

export function redisHint({ sourceOf }: LoadedConfig, name: string): string {
  return hint(`the address of Redis ${name}`, sourceOf(['redis', name, 'url']), 'REDIS_URL');
}

function hint(what: string, source: string, variable: string): string {
  if (source !== 'default') return `${what} is from ${source}`;
  return `${what} is the default; ${variable} names another. ${STACK}`;
}
