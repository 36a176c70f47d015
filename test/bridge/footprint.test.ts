import { expect, it } from 'vitest';
import { Footprint } from '../../src/bridge/footprint.ts';

it('learns that jobs take more than was thought', () => {
  const footprint = new Footprint();
  const plain = footprint.expected(100_000, 500);
  for (let i = 0; i < 100; i++) footprint.learn(plain * 2, 100_000, 500);
  expect(footprint.expected(100_000, 500) / plain).toBeCloseTo(2, 2);
  expect(footprint.bytesPerJob).toBeCloseTo((plain * 2) / 500, 0);
});

it('never expects less than the plain estimate, whatever workers delete meanwhile', () => {
  const footprint = new Footprint();
  const plain = footprint.expected(100_000, 500);
  for (const grown of [plain / 10, -plain, 0]) for (let i = 0; i < 50; i++) footprint.learn(grown, 100_000, 500);
  expect(footprint.expected(100_000, 500)).toBe(plain);
});

it('does not believe a single batch, nor a small one', () => {
  const footprint = new Footprint();
  const plain = footprint.expected(100_000, 500);
  footprint.learn(plain * 1_000, 100_000, 500);
  expect(footprint.expected(100_000, 500) / plain).toBeLessThan(1.25);
  footprint.learn(1_000_000, 10, 1);
  expect(footprint.expected(100_000, 500) / plain).toBeLessThan(1.25);
});
