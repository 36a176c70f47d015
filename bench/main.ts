/**
 * `npm run bench`: Sluice beside what a user would pick instead, on this machine, in one run. `--help` says the rest.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '../src/errors.ts';
import { up } from '../stack/stack.ts';
import { bytes } from './bytes.ts';
import { curves } from './curves.ts';
import { delivery } from './delivery.ts';
import { drain } from './drain.ts';
import { fill } from './fill.ts';
import { latency } from './latency.ts';
import type { Part } from './part.ts';
import { profile } from './profile.ts';
import { rejoin } from './rejoin.ts';
import { report, tellWhere } from './report.ts';
import { settling } from './settling.ts';
import { sidekiq } from './sidekiq.ts';
import { sustained } from './sustained.ts';

const USAGE = `usage: npm run bench --                    all of the parts, about ten minutes
       npm run bench -- --quick            about a minute: shorter laps, no rejoining, more noise
       npm run bench -- --only fill,drain  these parts: fill, sidekiq, drain, bytes, delivery, latency, rejoin;
                                           profile: where the bridge's microseconds go;
                                           settling: what it costs Redis while a million jobs wait
       npm run bench -- --rounds 7         more rounds than three
       npm run bench -- --curves           how filling grows with payloads, partitions, queues, backlog
       npm run bench -- --sustained 30 --rate 5000
                                           minutes of everything at so many events a second
`;

const values = readValues();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const isQuick = values.quick;
const rounds = above0('rounds', values.rounds ?? (isQuick ? '1' : '3'));

const USUAL: Readonly<Record<string, Part>> = { fill, sidekiq, drain, bytes, delivery, latency, rejoin };
const PARTS: Readonly<Record<string, Part>> = {
  ...USUAL,
  curves,
  profile,
  settling,
  sustained: sustained(above0('sustained', values.sustained ?? '1'), above0('rate', values.rate)),
};

// What runs ends with this process; a signal alone would leave it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const names = asked();
const unknown = names.filter((name) => PARTS[name] === undefined);
if (unknown.length > 0) refuse(`there is no measurement ${unknown}; there are: ${Object.keys(PARTS).join(', ')}`);
const { KAFKA_BROKERS: brokers } = await up({ install: true, sidekiq: names.includes('sidekiq') });
for (const name of names) {
  report(name, await (PARTS[name] as Part)({ brokers, rounds, isQuick }), isQuick ? 'quick' : 'full');
}
tellWhere();
process.exit(0);

function readValues() {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        curves: { type: 'boolean', default: false },
        sustained: { type: 'string' },
        rate: { type: 'string', default: '5000' },
      },
    }).values;
  } catch (error) {
    return refuse(messageOf(error));
  }
}

function above0(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  return refuse(`--${name}: "${text}" is not allowed; allowed: a number above 0`);
}

function refuse(reason: string): never {
  process.stderr.write(`bench: ${reason}\n${USAGE}`);
  process.exit(2);
}

function asked(): string[] {
  if (values.only !== undefined) return values.only.split(',');
  if (values.curves) return ['curves'];
  if (values.sustained !== undefined) return ['sustained'];
  return Object.keys(USUAL).filter((name) => !isQuick || name !== 'rejoin');
}
