/**
 * What a waiting job of 250 bytes takes of Redis's memory, its ledger included: on a lean queue and on another, with Redis as it
 * comes and as README.md advises.
 */
import { contest, spreads } from './contest.ts';
import { bridge, filled } from './fill.ts';
import type { Part } from './part.ts';
import { envelope } from './payload.ts';
import { fillTopic } from './topic.ts';

/** Just filled, Redis's table of keys has grown and is not full: as between two of its sizes, on the average. */
const RECORDS = 200_000;
const QUICK_RECORDS = 50_000;
const LIMIT_MS = 30_000;
const ADVISED = ['--hash-max-listpack-value', '1024', '--list-compress-depth', '1'];
const LEAN = { SLUICE_QUEUES: '{"filled":{"lean":true}}' };

export const bytes: Part = async ({ brokers, isQuick }) => {
  const topic = `bench.bytes.${process.pid}`;
  const records = isQuick ? QUICK_RECORDS : RECORDS;
  const value = envelope();
  await fillTopic({ topic, brokers, records, value: () => value });
  const terms = { rounds: 1, total: records, limitMs: LIMIT_MS };
  const row = async (name: string, redis: readonly string[], env: Readonly<Record<string, string>>) => {
    const contestant = bridge(brokers, topic, { queue: 'filled' }, filled, name, [], env);
    return spreads(await contest({ [name]: contestant }, { ...terms, redis }));
  };
  const rows = {
    ...(await row('default', [], {})),
    ...(await row('advised', ADVISED, {})),
    ...(await row('lean', [], LEAN)),
    ...(await row('leanAdvised', ADVISED, LEAN)),
  };
  const bytesOf = (name: string) => rows[name]?.bytes.median ?? Number.NaN;
  const figures = {
    bytesPerJob: bytesOf('lean'),
    bytesPerJobAdvised: bytesOf('leanAdvised'),
    bytesPerFullJob: bytesOf('default'),
    bytesPerFullJobAdvised: bytesOf('advised'),
  };
  return { rows, figures };
};
