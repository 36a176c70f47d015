import { describe, expect, it } from 'vitest';
import { closed, decide, type GateState, thresholds } from '../../src/bridge/gate.ts';
import { gateConfig } from '../../src/redis/config.ts';

const open: GateState = { isOpen: true, cause: 'room' };
const limits = { closeAtBytes: 100, openAtBytes: 80, closeAtDepth: 10, openAtDepth: 8 };
const reading = { usedBytes: 0, inFlightBytes: 0, depth: 0 };

describe('the gate', () => {
  it('closes at the upper threshold and opens below the lower', () => {
    expect(decide(open, { ...reading, usedBytes: 99 }, limits)).toBe(open);
    const shut = decide(open, { ...reading, usedBytes: 100 }, limits);
    expect(shut).toEqual({ isOpen: false, cause: 'memory' });
    expect(decide(shut, { ...reading, usedBytes: 80 }, limits)).toBe(shut);
    expect(decide(shut, { ...reading, usedBytes: 79 }, limits).isOpen).toBe(true);
  });

  it('counts what is on its way', () => {
    expect(decide(open, { ...reading, usedBytes: 60, inFlightBytes: 40 }, limits).isOpen).toBe(false);
  });

  it('watches the depth of queues with a hysteresis of its own', () => {
    const shut = decide(open, { ...reading, depth: 10 }, limits);
    expect(shut).toEqual({ isOpen: false, cause: 'depth' });
    expect(decide(shut, { ...reading, depth: 9 }, limits).isOpen).toBe(false);
    expect(decide(shut, { ...reading, depth: 8 }, limits).isOpen).toBe(true);
  });

  it('stays the same object while nothing changes', () => {
    const shut = closed(open, 'redis-away');
    expect(closed(shut, 'redis-away')).toBe(shut);
    expect(closed(shut, 'memory')).toEqual({ isOpen: false, cause: 'memory' });
  });
});

describe('thresholds', () => {
  const MB = 1_048_576;
  const of = (gate: object, max = 100 * MB, system = 1_000 * MB) =>
    thresholds('main', gateConfig.parse(gate), max, system);

  it('are percents of maxmemory, or of the machine where there is none, or bytes', () => {
    expect(of({})).toMatchObject({ closeAtBytes: 75 * MB, openAtBytes: 65 * MB });
    expect(of({}, 0)).toMatchObject({ closeAtBytes: 750 * MB, openAtBytes: 650 * MB });
    expect(of({ closeAt: '10.5mb', openAt: 100 })).toMatchObject({ closeAtBytes: 10.5 * MB, openAtBytes: 100 });
  });

  it.each([
    [{ closeAt: '50%', openAt: '60%' }, /openAt \(62914560 bytes\) must be below closeAt \(52428800 bytes\)/],
    [{ closeAt: '99%' }, /redis\.main\.gate\.closeAt: \d+ bytes leave workers no room below maxmemory/],
    [{ closeAt: '1mb', openAt: 100 }, /closeAt: 1048576 bytes do not hold the batches on their way; at least 8388608/],
    [{ closeAtDepth: 5, openAtDepth: 5 }, /openAtDepth \(5\) must be below closeAtDepth \(5\)/],
  ])('that cannot work are refused: %j', (gate, message) => {
    expect(() => of(gate)).toThrow(message);
  });
});
