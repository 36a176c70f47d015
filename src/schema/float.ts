/** 32-bit floats as JSON writes them. */

/** The shortest decimal that reads back as the same 32-bit float. */
export function shortestFloat(value: number): number {
  const float = Math.fround(value);
  for (let digits = 6; digits < 9 && Number.isFinite(float); digits++) {
    const short = Number(float.toPrecision(digits));
    if (Math.fround(short) === float) return short;
  }
  return float;
}
