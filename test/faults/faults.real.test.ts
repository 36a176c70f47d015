/**
 * The fault kit on the tests' Kafka: a short run in which nothing may be violated, and runs of the product with one
 * rule broken, in each of which the checker has to find what that rule prevents.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Checked } from '../../src/faults/check/check.ts';
import { runFaults } from '../../src/faults/run.ts';
import { kafkaBrokers } from '../support/stack.ts';

const SABOTAGE = fileURLToPath(new URL('./sabotage.mjs', import.meta.url));
const KINDS = [
  'bridge-kill',
  'bridge-stop',
  'worker-stop',
  'redis-flushall',
  'redis-kill',
  'redis-cut-bridges',
  'record-garbage',
  'collector-reset',
];

let dir: string;
const atEnd: (() => void)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
});

afterEach(() => {
  for (const end of atEnd.splice(0)) end();
  rmSync(dir, { recursive: true, force: true });
});

/** Twice `patienceMs` is what a run takes that never heals. */
function faults(only: readonly string[], minutes: number, patienceMs = 60_000, env = {}): Promise<Checked> {
  return runFaults({
    dir,
    seed: 1,
    minutes,
    only,
    rate: 150,
    kafka: { brokers: kafkaBrokers() },
    prefix: `faults-${process.pid}-${Date.now().toString(36)}`,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    mayFlush: true,
    patienceMs,
    signal: new AbortController().signal,
    tell: () => undefined,
    onOpen: (killNow) => void atEnd.push(killNow),
  });
}

it('violates nothing in a short run', { timeout: 240_000 }, async () => {
  const { verdict, violations } = await faults(KINDS, KINDS.length / 5);
  expect(verdict).toMatchObject({ lost: 0, createdTwice: 0, committedTooFar: 0, aboveCeiling: 0, notHealed: 0 });
  expect(violations.rerunAfterFinished).toEqual([]);
  expect(verdict.faults).toBe(KINDS.length);
  expect(verdict.records).toBeGreaterThan(1_000);
});

describe('a broken rule is found', () => {
  const broken = (rule: string, kind: string, patienceMs?: number) =>
    faults([kind], 0.2, patienceMs, { NODE_OPTIONS: `--import ${SABOTAGE}`, SLUICE_TEST_SABOTAGE: rule });

  it('the fence: records are lost', { timeout: 120_000 }, async () => {
    const { verdict } = await broken('fence', 'redis-flushall-held', 8_000);
    expect(verdict.lost).toBeGreaterThan(0);
    expect(verdict.committedTooFar).toBeGreaterThan(0);
  });

  it('the skip: jobs are created twice', { timeout: 120_000 }, async () => {
    const { verdict } = await broken('skip', 'bridges-all-kill');
    expect(verdict.createdTwice).toBeGreaterThan(0);
    expect(verdict.lost).toBe(0);
  });

  it('the finished ranges: jobs run again that Kafka knew to be finished', { timeout: 120_000 }, async () => {
    const { verdict } = await broken('metadata', 'everything-kill');
    expect(verdict.rerunAfterFinished).toBeGreaterThan(0);
    expect(verdict).toMatchObject({ lost: 0, createdTwice: 0, committedTooFar: 0 });
  });

  it('the settle step: commits go too far', { timeout: 120_000 }, async () => {
    const { verdict } = await broken('settle', 'bridge-stop');
    expect(verdict.committedTooFar).toBeGreaterThan(0);
  });
});
