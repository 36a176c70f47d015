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
  const of = (gate: object, max = 1_000, system = 10_000) => thresholds('main', gateConfig.parse(gate), max, system);

  it('are percents of maxmemory, or of the machine where there is none, or bytes', () => {
    expect(of({})).toMatchObject({ closeAtBytes: 750, openAtBytes: 650 });
    expect(of({}, 0)).toMatchObject({ closeAtBytes: 7_500, openAtBytes: 6_500 });
    expect(of({ closeAt: '1.5kb', openAt: 100 }, 4_000)).toMatchObject({ closeAtBytes: 1_536, openAtBytes: 100 });
  });

  it.each([
    [{ closeAt: '50%', openAt: '60%' }, /openAt \(600 bytes\) must be below closeAt \(500 bytes\)/],
    [{ closeAt: '99%' }, /redis\.main\.gate\.closeAt: 990 bytes leave workers no room below maxmemory/],
    [{ closeAtDepth: 5, openAtDepth: 5 }, /openAtDepth \(5\) must be below closeAtDepth \(5\)/],
  ])('that cannot work are refused: %j', (gate, message) => {
    expect(() => of(gate)).toThrow(message);
  });
});
