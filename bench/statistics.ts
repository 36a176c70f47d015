/** Medians and their spread. */

/** `low` and `high`: the smallest and the largest of all rounds. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = [...numbers].sort((a, b) => a - b);
  return { median: rounded(quantile(sorted, 0.5)), low: rounded(sorted[0] ?? 0), high: rounded(sorted.at(-1) ?? 0) };
}

/** Of numbers in order, between the two that are nearest. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(at)] ?? 0, sorted[Math.ceil(at)] ?? 0];
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
