/**
 * `npm run demo:sidekiq`: a real Kafka, a real Redis, the bridge, and a real Sidekiq. Half of the records are Sidekiq jobs,
 * whose offsets wait for Ruby (`settle: 'acknowledged'`); the others are protobuf messages. Some jobs fail for good.
 * Ends by itself. Exit codes: 0 if every count agrees; 1 otherwise, saying what is missing; 2 for options that cannot be
 * used; 130 when it was interrupted.
 */
import { parseArgs } from 'node:util';
import { pageViews } from '../page-views.ts';
import { openStations, type Stations } from './stations.ts';

const USAGE = 'usage: npm run demo:sidekiq -- [--messages N] [--json]\n';
const DEFAULT_MESSAGES = 10_000;
const AT_ONCE = 500;
const LOOK_MS = 500;
const TELL_MS = 2_000;
/** The demo gives up when no count has moved for this long. */
const NO_PROGRESS_MS = 90_000;
const SHOWN = 3;
/** So many orders cannot be worked on, and become dead letters. */
const BAD_ORDERS = 3;

interface Counts {
  readonly produced: number;
  /** Jobs that Ruby has run, each counted once. */
  readonly ran: number;
  readonly repeated: number;
  readonly deadLettered: number;
  /** Records whose offset is not committed. */
  readonly uncommitted: number;
}

async function main(messages: number, isJson: boolean): Promise<number> {
  const beganAt = Date.now();
  const stations = await openStations();
  const interrupt = interruptOf(stations);
  const counting = { produced: 0, queued: 0 };
  const problem = await run(stations, messages, counting, interrupt);
  const counts = await countsOf(stations, counting);
  const { ran } = stations.ruby;
  await stations.close();
  if (!isJson) for (const line of examples([...ran.values()])) process.stdout.write(`${line}\n`);
  show({ ...counts, seconds: Math.round((Date.now() - beganAt) / 100) / 10 }, isJson);
  if (interrupt.aborted) return 130;
  const wrong = [...(problem === undefined ? [] : [problem]), ...disagreements(counts)];
  for (const each of wrong) note(each);
  return wrong.length > 0 ? 1 : 0;
}

/** The first Ctrl-C ends the demo in order, the second at once. */
function interruptOf({ sluice, ruby }: Stations): AbortSignal {
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) {
        sluice.kill();
        ruby.kill();
        process.exit(130);
      }
      interrupt.abort();
    });
  }
  return interrupt.signal;
}

interface Counting {
  produced: number;
  queued: number;
}

/** Resolves when all is through, interrupted, or in trouble, with the trouble. */
async function run(
  stations: Stations,
  messages: number,
  counting: Counting,
  interrupt: AbortSignal,
): Promise<string | undefined> {
  let failure: string | undefined;
  const producing = produce(stations, messages, counting, interrupt).catch((error: unknown) => {
    failure = `producing failed: ${textOf(error)}`;
  });
  let [before, movedAt, toldAt] = ['', Date.now(), 0];
  for (;;) {
    const counts = await countsOf(stations, counting);
    const now = Date.now();
    if (now - toldAt >= TELL_MS) toldAt = tell(counts, counting, now);
    const text = Object.values(counts).join();
    if (text !== before) movedAt = now;
    before = text;
    const { sluice, ruby } = stations;
    if (sluice.ended !== undefined) failure ??= `the bridge ended: ${sluice.ended}`;
    if (ruby.ended !== undefined) failure ??= `Sidekiq ended: ${ruby.ended}`;
    if (now - movedAt > NO_PROGRESS_MS) failure ??= `nothing has moved for ${NO_PROGRESS_MS / 1000} s`;
    if (failure !== undefined || interrupt.aborted || isThrough(counts, messages)) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  await producing;
  return failure;
}

async function produce({ orders, views }: Stations, messages: number, counting: Counting, signal: AbortSignal) {
  const source = pageViews(1);
  for (let at = 0; at < messages && !signal.aborted; at += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, messages - at) }, (_, i) => at + i);
    const [even, odd] = [numbers.filter((i) => i % 2 === 0), numbers.filter((i) => i % 2 === 1)];
    await orders.performJson(even.map((i) => orderJson(i / 2)));
    await views.sendMany(odd.map(() => ({ ...source.next().value, type: 'acme.web.v1.PageView' })));
    counting.produced += numbers.length;
  }
}

/** With values that a reader of JSON in between would spoil. */
function orderJson(i: number): string {
  const lines = i < BAD_ORDERS ? '[]' : '[{"sku":"kettle","price":1.0,"options":{}}]';
  return `{"class":"OrderJob","queue":"orders","retry":false,"args":[${BigInt(2 ** 53) + BigInt(i)},${i}.50,${lines}]}`;
}

async function countsOf({ ruby, look }: Stations, counting: Counting): Promise<Counts> {
  const { lag, queued, letters } = await look();
  counting.queued = queued;
  const { ran, repeated } = ruby;
  return { produced: counting.produced, ran: ran.size, repeated, deadLettered: letters, uncommitted: lag };
}

function isThrough({ produced, ran, deadLettered, uncommitted }: Counts, messages: number): boolean {
  return produced === messages && ran + deadLettered >= produced && uncommitted === 0;
}

function disagreements({ produced, ran, repeated, deadLettered, uncommitted }: Counts): string[] {
  const lines = [];
  const missing = produced - ran - deadLettered;
  if (missing !== 0) lines.push(missing > 0 ? `${missing} jobs are missing` : `${-missing} jobs too many`);
  if (repeated > 0) lines.push(`${repeated} jobs ran more than once`);
  const bad = Math.min(BAD_ORDERS, Math.ceil(produced / 2));
  if (deadLettered !== bad) lines.push(`${deadLettered} dead letters, ${bad} are right`);
  if (uncommitted > 0) lines.push(`${uncommitted} offsets are not committed`);
  return lines;
}

function tell({ produced, ran, deadLettered, uncommitted }: Counts, { queued }: Counting, now: number): number {
  const dead = deadLettered > 0 ? ` · dead ${deadLettered}` : '';
  note(`produced ${produced} · not committed ${uncommitted} · in queue ${queued} · Ruby ran ${ran}${dead}`);
  return now;
}

function examples(ran: readonly { class: string; seen: string }[]): string[] {
  const classes = [...new Set(ran.map((each) => each.class))].sort();
  return classes.flatMap((name) =>
    ran
      .filter((each) => each.class === name)
      .slice(0, SHOWN)
      .map(({ seen }) => `${name.padEnd(18)}${seen}`),
  );
}

function show(result: object, isJson: boolean): void {
  const lines = Object.entries(result).map(([name, value]) => `${name.padEnd(18)}${String(value)}`);
  process.stdout.write(`${isJson ? JSON.stringify(result) : lines.join('\n')}\n`);
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function optionsOrExit(): { messages: number; isJson: boolean } {
  try {
    const options = {
      messages: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    } as const;
    const { messages = String(DEFAULT_MESSAGES), json, help } = parseArgs({ options }).values;
    if (help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    if (!/^\d{1,9}$/.test(messages))
      throw new Error(`--messages: "${messages}" is not allowed; allowed: a whole number`);
    return { messages: Number(messages), isJson: json };
  } catch (error) {
    note(`${textOf(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { messages, isJson } = optionsOrExit();
process.exit(
  await main(messages, isJson).catch((error: unknown) => {
    note(textOf(error));
    return 1;
  }),
);
