/** The addresses of Kafka and Redis, where each is from, and how to name another. */
import { maskUrl } from '../redis/address.ts';
import type { LoadedConfig } from './config/load.ts';

const STACK = 'In a clone, `npm run stack -- up` starts one, and `eval "$(npm run -s stack -- env)"` names it.';

/** For the log: whoever sees that a server is away sees here whether it was the one that was meant. */
export function servers({ config, sourceOf }: LoadedConfig) {
  const redis = Object.entries(config.redis).map(([name, { url }]) => ({
    redis: name,
    url: maskUrl(url),
    from: sourceOf(['redis', name, 'url']),
  }));
  return { brokers: config.kafka.brokers, brokersFrom: sourceOf(['kafka', 'brokers']), redis };
}

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
