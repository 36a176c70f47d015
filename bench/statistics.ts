/** Medians and their spread. */

/** `low` and `high`: the smallest and the largest of all rounds. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Rounds without a number do not count; all of them together are NaN. */
export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = numbers.filter(Number.isFinite).sort((a, b) => a - b);
  const [low = Number.NaN] = sorted;
  return { median: rounded(quantile(sorted, 0.5)), low: rounded(low), high: rounded(sorted.at(-1) ?? Number.NaN) };
}

/** Of numbers in order, between the two that are nearest. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN];
  return below + (above - below) * (at - Math.floor(at));
}

/** Three figures are more than such a measurement is worth; of large numbers, whole ones. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** Of the rounds' own ratios, the median: what slows the machine for a while slows neighbours alike. */
export function ratioOf(ones: readonly number[], others: readonly number[]): number {
  const pairs = ones.map((one, i) => one / (others[i] ?? Number.NaN)).filter(Number.isFinite);
  return Number(
    quantile(
      pairs.sort((a, b) => a - b),
      0.5,
    ).toFixed(2),
  );
}
