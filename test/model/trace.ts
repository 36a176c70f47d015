/** A way to a violation as text that a person can read: a line a step, and below it what the step has changed. */
import type { Found } from './search.ts';
import { initialState } from './start.ts';
import type { Bridge, Data, State } from './state.ts';
import { offsetsOf, type World } from './world.ts';

export function traceOf({ violation, way }: Found, world: World): string {
  let before = factsOf(initialState(world));
  const lines = way.map(({ who, what, state }, i) => {
    const after = factsOf(state);
    const changed = [...after].filter(([name, fact]) => before.get(name) !== fact);
    before = after;
    const head = `${String(i + 1).padStart(3)}. ${who} ${what}`;
    return [head, ...changed.map(([name, fact]) => `       ${name}: ${fact}`)].join('\n');
  });
  return [...lines, `  => ${violation}`].join('\n');
}

function factsOf({ kafka, redis, bridges }: State): Map<string, string> {
  const { committed, finished, letters } = kafka;
  return new Map([
    [
      'Kafka',
      `committed ${committed < 0 ? 'nothing' : committed}, finished above ${text(finished)}, letters ${text(letters)}`,
    ],
    ...redis.map(({ data }, s): [string, string] => [`Redis ${s}`, dataText(data)]),
    ...bridges.map((bridge, b): [string, string] => [`bridge ${'AB'[b]}`, bridgeText(bridge)]),
  ]);
}

function dataText({ owner, enqueued, unsettled, ...data }: Data): string {
  const jobs = (['waiting', 'hosted', 'stocked', 'completed', 'dead'] as const)
    .filter((state) => data[state] !== 0)
    .map((state) => `${STATES[state]} ${text(data[state])}`);
  const ledger = `owner ${owner || 'none'}, enqueued ${enqueued < 0 ? 'none' : enqueued}, unsettled ${text(unsettled)}`;
  return [ledger, `reconciled in ${data.reconciled || 'none'}`, ...jobs].join(', ');
}

const STATES = {
  waiting: 'waiting',
  hosted: 'with the host',
  stocked: 'with a stock worker',
  completed: 'completed',
  dead: 'dead',
};

function bridgeText({ phase, committed, shards }: Bridge): string {
  const held = shards.map(
    ({ token, acked, sent, finished }) => `token ${token}, acked ${acked}, sent ${sent}, finished ${text(finished)}`,
  );
  return [phase, `committed ${committed}`, ...held].join('; ');
}

function text(set: number): string {
  return `{${offsetsOf(set)}}`;
}
