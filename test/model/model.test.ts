import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fingerprintOf } from './fingerprint.ts';
import { search } from './search.ts';
import { copyOf, initialState } from './start.ts';
import type { State } from './state.ts';
import { traceOf } from './trace.ts';
import { type Rule, world } from './world.ts';
import { NEEDED_IN } from './worlds.ts';

describe('the model', () => {
  it('is searched to the end in a small world, without a violation', () => {
    const small = world({ budget: { flush: 1 } });
    const { found, isComplete, states } = search(small);
    expect(found && traceOf(found, small)).toBeUndefined();
    expect(isComplete).toBe(true);
    expect(states).toBeGreaterThan(1_000);
  });

  it.each(['ledgerSkip', 'expectedCheck', 'rewindOnLoss', 'checkedLook'] satisfies Rule[])(
    'finds what is wrong without a rule: %s',
    (rule) => {
      const broken = world({ ...NEEDED_IN[rule], off: [rule] });
      expect(search(broken).found?.violation).toMatch(/^\([abc]/);
    },
  );

  it('tells the way to a violation in lines that a person can read', () => {
    const broken = world({ ...NEEDED_IN.ledgerSkip, off: ['ledgerSkip'] });
    const { found } = search(broken);
    const lines = traceOf(found as NonNullable<typeof found>, broken).split('\n');
    expect(lines[0]).toBe('  1. bridge A asks Kafka for the committed offset and its metadata');
    expect(lines).toContain(' 10. bridge A never gets the reply to the batch up to 0');
    expect(lines.at(-1)).toBe('  => (b) job 0 was created twice in one history of Redis');
    const page = readFileSync(new URL('../../docs/model.md', import.meta.url), 'utf8');
    expect(flush(page), 'the trace in docs/model.md').toContain(flush(lines.join('\n')));
  });

  it('tells states apart by every field that a part of the system could see', () => {
    const state = everythingIn();
    const seen = new Map([[fingerprintOf(state), 'nothing']]);
    for (const path of fieldsOf(state)) {
      const changed = copyOf(state);
      change(changed, path);
      const print = fingerprintOf(changed);
      if (path.at(-1) !== 'broken') expect(seen.get(print), path.join('.')).toBeUndefined();
      seen.set(print, path.join('.'));
    }
  });
});

function flush(text: string): string {
  return text.replaceAll(/^ +/gm, '');
}

/** A state in which every list has a member. */
function everythingIn(): State {
  let fullest = initialState(world());
  search(world({ budget: { restore: 1 } }), {
    states: 3_000,
    visit: (state) => {
      const isFuller = state.flight.length > 1 && state.redis.every(({ snapshot }) => snapshot !== undefined);
      if (isFuller && state.bridges[0]?.shards.length === 1) fullest = state;
    },
  });
  const copy = copyOf(fullest);
  copy.redis = copy.redis.map((each) => ({ ...each, snapshot: { ...(each.snapshot ?? each.data) } }));
  return copy;
}

function fieldsOf(value: object): string[][] {
  return Object.entries(value).flatMap(([key, each]) =>
    typeof each === 'object' && each !== null ? fieldsOf(each).map((path) => [key, ...path]) : [[key]],
  );
}

const OTHER: Record<string, string> = { phase: 'asking', kind: 'claim', status: 'reborn' };

function change(state: State, path: string[]): void {
  const field = path.at(-1) as string;
  let holder: Record<string, unknown> = state as unknown as Record<string, unknown>;
  for (const key of path.slice(0, -1)) {
    holder[key] = structuredClone(holder[key]);
    holder = holder[key] as Record<string, unknown>;
  }
  const value = holder[field];
  if (typeof value === 'number') holder[field] = value + 64;
  if (typeof value === 'boolean') holder[field] = !value;
  if (typeof value === 'string') holder[field] = value === OTHER[field] ? 'ready' : OTHER[field];
}
