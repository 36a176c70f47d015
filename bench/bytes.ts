/** What a waiting job of 250 bytes takes of Redis's memory, its ledger included, by default and as the operations guide advises. */
import { contest, spreads } from './contest.ts';
import { bridge, filled } from './fill.ts';
import type { Part } from './part.ts';
import { envelope } from './payload.ts';
import { fillTopic } from './topic.ts';

/** Just filled, Redis's table of keys has grown and is not full: as between two of its sizes, on the average. */
const RECORDS = 200_000;
const QUICK_RECORDS = 50_000;
const LIMIT_MS = 30_000;
const ADVISED = ['--hash-max-listpack-value', '1024'];

export const bytes: Part = async ({ brokers, isQuick }) => {
  const topic = `bench.bytes.${process.pid}`;
  const records = isQuick ? QUICK_RECORDS : RECORDS;
  const value = envelope();
  await fillTopic({ topic, brokers, records, value: () => value });
  const terms = { rounds: 1, total: records, limitMs: LIMIT_MS };
  const once = (name: string, settings: readonly string[]) =>
    contest({ [name]: bridge(brokers, topic, { queue: 'filled' }, filled, name) }, { ...terms, redis: settings });
  const plain = spreads(await once('default', []));
  const advised = spreads(await once('advised', ADVISED));
  const figures = {
    bytesPerJob: plain.default?.bytes.median ?? Number.NaN,
    bytesPerJobAdvised: advised.advised?.bytes.median ?? Number.NaN,
  };
  return { rows: { ...plain, ...advised }, figures };
};
