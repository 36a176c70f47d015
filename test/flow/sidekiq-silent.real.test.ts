/**
 * An acknowledged topic whose Ruby workers have no middleware: nobody says that their jobs are done, but they are not run
 * again and again.
 */
import { expect, it, vi } from 'vitest';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic } from '../support/kafka.ts';
import { startRedis } from '../support/redis.ts';
import { startSidekiq } from '../support/sidekiq.ts';
import { ROOT, runSluice } from '../support/sluice.ts';

const JOBS = 20;
const PATIENCE = { timeout: 100_000, interval: 250 };
const INSTALLED = `
require "${ROOT}ruby/sluice_sidekiq"
Sidekiq.configure_server { |config| Sluice::Sidekiq.install(config) }
`;

it('withholds what such a process may have run, until it has gone', { timeout: 180_000 }, async () => {
  const [server, topic] = await Promise.all([startRedis(), makeTopic(1)]);
  const records = createRecordProducer(topic.kafka, silentLog);
  const topics = { [topic.topic]: { target: 'sidekiq', record: 'sidekiq', settle: 'acknowledged' } };
  const bridge = runSluice(['bridge'], { env: sluiceEnv(topic, server, 'idle-workers', topics) });
  const silent = await startSidekiq(server);
  await records.send(
    topic.topic,
    Array.from({ length: JOBS }, (_, i) => ({ key: `key-${i}`, value: Buffer.from(`{"class":"Note","args":[${i}]}`) })),
  );
  await vi.waitFor(() => expect(bridge.stdout() + bridge.stderr()).toContain(`"withheld":${JOBS}`), PATIENCE);
  expect(silent.runs('ended')).toHaveLength(JOBS);
  expect(await topic.lag()).toBe(JOBS);

  // Nothing tells what it has run from what it has lost: now it runs again, and is done.
  expect(await silent.stop()).toBe(0);
  const telling = await startSidekiq(server, { code: INSTALLED, dir: silent.dir });
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  expect(telling.runs('ended')).toHaveLength(2 * JOBS);

  await Promise.all([bridge.kill('SIGTERM'), telling.stop(), records.stop(1_000)]);
  await Promise.all([topic.stop(), server.stop()]);
});
