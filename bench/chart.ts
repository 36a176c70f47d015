/** Pictures of figures as SVG, readable on light and on dark pages. */
import type { Spread } from './statistics.ts';

const [WIDTH, LABEL, BAR, GAP, TITLE] = [720, 150, 18, 6, 30];
const SHARE_OF_BARS = WIDTH - LABEL - 110;
const INK = '#5b6472';
const [OURS, OTHERS] = ['#1f8a70', '#9aa5b1'];
const COLOURS = ['#1f8a70', '#c8553d', '#3d5a80', '#e0a030', '#7b5ea7', '#9aa5b1'];

export interface Series {
  readonly title: string;
  readonly values: readonly { readonly label: string; readonly value: Spread | number }[];
}

/** One group of bars a series, each with its own scale; a thin line spans the rounds. */
export function bars(series: readonly Series[]): string {
  let y = 0;
  const groups = series.map(({ title, values }) => {
    const most = Math.max(...values.map(({ value }) => (typeof value === 'number' ? value : value.high)));
    const scale = (value: number) => (value / most) * SHARE_OF_BARS;
    const head = text(0, y + TITLE - 10, title, 'bold');
    const rows = values.map(({ label, value }, i) => bar(label, value, y + TITLE + i * (BAR + GAP), scale));
    y += TITLE + values.length * (BAR + GAP) + 10;
    return head + rows.join('');
  });
  return svg(WIDTH, y, groups.join(''));
}

function bar(label: string, value: Spread | number, y: number, scale: (value: number) => number): string {
  const { median, low, high } = typeof value === 'number' ? { median: value, low: value, high: value } : value;
  const colour = label.startsWith('sluice') ? OURS : OTHERS;
  const middle = y + BAR / 2;
  return [
    text(0, y + BAR - 5, label),
    `<rect x="${LABEL}" y="${y}" width="${scale(median).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
    `<path d="M${LABEL + scale(low)} ${middle}H${LABEL + scale(high)}" stroke="${INK}"/>`,
    text(LABEL + scale(high) + 8, y + BAR - 5, Math.round(median).toLocaleString('en')),
  ].join('');
}

export interface Line {
  readonly label: string;
  /** In order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

const [HEIGHT, LEFT, BOTTOM] = [300, 80, 40];

/** Lines over one axis, from zero; `xs` and `ys` say what the axes are. */
export function lines(of: readonly Line[], xs: string, ys: string): string {
  const points = of.flatMap((line) => line.points);
  const [mostX, mostY] = [Math.max(1, ...points.map(([x]) => x)), Math.max(1, ...points.map(([, y]) => y))];
  const x = (value: number) => LEFT + (value / mostX) * (WIDTH - LEFT - 130);
  const y = (value: number) => HEIGHT - BOTTOM - (value / mostY) * (HEIGHT - BOTTOM - 30);
  const paths = of.map(({ label, points: own }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = own.map(([px, py], n) => `${n === 0 ? 'M' : 'L'}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join('');
    const legend = text(WIDTH - 120, 30 + i * 18, label, 'normal', colour);
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${legend}`;
  });
  const axes = `<path d="M${LEFT} 20V${HEIGHT - BOTTOM}H${WIDTH - 130}" fill="none" stroke="${INK}"/>`;
  const marks = [text(0, 30, mostY.toLocaleString('en')), text(0, 46, ys), text(LEFT, HEIGHT - 15, xs)];
  return svg(
    WIDTH,
    HEIGHT,
    axes + marks.join('') + text(WIDTH - 170, HEIGHT - 15, String(Math.round(mostX))) + paths.join(''),
  );
}

function text(x: number, y: number, words: string, weight = 'normal', colour = INK): string {
  return `<text x="${x.toFixed(1)}" y="${y}" font-weight="${weight}" fill="${colour}">${words}</text>`;
}

function svg(width: number, height: number, content: string): string {
  const style = 'font-family="system-ui, sans-serif" font-size="13"';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${style}>${content}</svg>\n`;
}
