/**
 * `npm run bench`: measurements of Sluice beside what a user would pick instead, on this machine, in one run.
 *
 *   npm run bench                     all of the parts, about ten minutes
 *   npm run bench -- --quick          about a minute: shorter, and noisier
 *   npm run bench -- --only fill      one part
 */
import { parseArgs } from 'node:util';
import { up } from '../stack/stack.ts';
import { bytes } from './bytes.ts';
import { delivery } from './delivery.ts';
import { drain } from './drain.ts';
import { fill } from './fill.ts';
import { latency } from './latency.ts';
import type { Part, PartResult } from './part.ts';
import { rejoin } from './rejoin.ts';
import { report } from './report.ts';
import { sidekiq } from './sidekiq.ts';

const ROUNDS = 5;
const QUICK_ROUNDS = 1;

const PARTS: Readonly<Record<string, Part>> = { fill, bytes, sidekiq, drain, delivery, latency, rejoin };

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  },
});
const names = values.only === undefined ? Object.keys(PARTS) : values.only.split(',');
const unknown = names.find((name) => PARTS[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(`there is no measurement ${unknown}; there are: ${Object.keys(PARTS).join(', ')}\n`);
  process.exit(2);
}

const { KAFKA_BROKERS: brokers } = await up({ install: true, sidekiq: names.includes('sidekiq') });
const rounds = Number(values.rounds ?? (values.quick ? QUICK_ROUNDS : ROUNDS));
const results: Record<string, PartResult> = {};
for (const name of names) results[name] = await (PARTS[name] as Part)({ brokers, rounds, isQuick: values.quick });
report(results, values.quick ? 'quick' : 'full');
process.exit(0);
