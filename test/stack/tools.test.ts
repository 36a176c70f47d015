/** What is said where a tool is missing that nothing can install. */
import { afterEach, expect, it, vi } from 'vitest';
import { requireTools } from '../../stack/tools.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

it('says how to get a Ruby with Sidekiq, and nothing about servers', () => {
  vi.stubEnv('PATH', '/nowhere');
  const require = () => requireTools('/nowhere', { kafka: false, redis: false, sidekiq: true }, true);
  expect(require).toThrow(
    "missing: Ruby's sidekiq, rack, webrick and activejob. Install them, or, with a Ruby of your own, `gem install sidekiq rack webrick activejob`",
  );
  expect(require).not.toThrow('KAFKA_BROKERS');
});
