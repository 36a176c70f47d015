/**
 * `npm run demo`: a real Kafka, a real Redis, `sluice up`, and a receiver that counts for itself. Produces page views
 * and shows them on their way. Exit codes: 0, or with --exit only if every count agrees; 1 otherwise, saying what is
 * missing; 2 for options that cannot be used; 130 when --exit was interrupted.
 */
import { accessSync, constants } from 'node:fs';
import { type Counts, disagreements, isThrough } from './counts.ts';
import { createLiveLine } from './live-line.ts';
import { type DemoOptions, readOptions, USAGE } from './options.ts';
import { produce } from './produce.ts';
import { openStations, type Stations } from './stations.ts';

const LOOK_MS = 250;
/** The demo gives up when no count has moved for this long. */
const NO_PROGRESS_MS = 60_000;

async function main(options: DemoOptions): Promise<number> {
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const beganAt = Date.now();
  const stations = await openStations(options.dump);
  const interrupt = interruptOf(stations);
  note(`dashboard: ${stations.dashboardUrl}`);
  const runningAt = Date.now();
  const problem = await run(stations, options, interrupt);
  const runSeconds = seconds(runningAt);
  const counts = await stations.close();
  const result = { ...counts, setupSeconds: seconds(beganAt, runningAt), runSeconds };
  if (stations.production.badLines > 0) note(`${stations.production.badLines} lines were no access log; passed over`);
  show(result, options.json);
  return exitCode(stations, counts, problem, options, interrupt);
}

/** The first Ctrl-C ends the demo in order, the second at once. */
function interruptOf({ sluice }: Stations): AbortSignal {
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) {
        sluice.kill();
        process.exit(130);
      }
      interrupt.abort();
    });
  }
  return interrupt.signal;
}

/** Resolves when it is through, interrupted, or in trouble, with the trouble. */
async function run(stations: Stations, options: DemoOptions, interrupt: AbortSignal): Promise<string | undefined> {
  const ending = new AbortController();
  let isProduced = false;
  let problem: string | undefined;
  const producing = produce(
    stations.producer,
    options,
    stations.production,
    AbortSignal.any([interrupt, ending.signal]),
  )
    .then(() => {
      isProduced = true;
    })
    .catch((error: unknown) => {
      problem = `producing failed: ${textOf(error)}`;
    });
  const line = createLiveLine(process.stderr, Date.now());
  const hasMoved = createStandstill();
  while (!interrupt.aborted && problem === undefined) {
    await pause(LOOK_MS);
    const counts = await stations.counts();
    line.show(counts, await stations.gate(), Date.now());
    if (stations.sluice.ended !== undefined) problem = `sluice up ended: ${stations.sluice.ended}`;
    if (!options.exit) continue;
    if (isProduced && isThrough(counts)) break;
    if (!hasMoved(counts, Date.now())) problem ??= `nothing has moved for ${NO_PROGRESS_MS / 1000} s`;
  }
  ending.abort();
  await producing;
  line.end();
  return problem;
}

function createStandstill(): (counts: Counts, now: number) => boolean {
  let before = '';
  let movedAt = Date.now();
  return (counts, now) => {
    const text = Object.values({ ...counts, receivedTotal: 0 }).join();
    if (text !== before) movedAt = now;
    before = text;
    return now - movedAt < NO_PROGRESS_MS;
  };
}

function exitCode(
  { receiver }: Stations,
  counts: Counts,
  problem: string | undefined,
  options: DemoOptions,
  interrupt: AbortSignal,
): number {
  const refusals =
    receiver.refused > 0
      ? [`the receiver refused ${receiver.refused} requests; the last: ${receiver.lastRefusal}`]
      : [];
  const wrong = [
    ...(problem === undefined ? [] : [problem]),
    ...refusals,
    ...(options.exit ? disagreements(counts) : []),
  ];
  for (const each of wrong) note(each);
  if (options.exit && interrupt.aborted) return 130;
  return problem !== undefined || (options.exit && wrong.length > 0) ? 1 : 0;
}

function show(result: object, isJson: boolean): void {
  const lines = Object.entries(result).map(([name, value]) => `${name.padEnd(18)}${String(value)}`);
  process.stdout.write(`${isJson ? JSON.stringify(result) : lines.join('\n')}\n`);
}

function seconds(since: number, until = Date.now()): number {
  return Math.round((until - since) / 100) / 10;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function optionsOrExit(): DemoOptions {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options.input !== undefined) accessSync(options.input, constants.R_OK);
    return options;
  } catch (error) {
    note(`${textOf(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

process.exit(
  await main(optionsOrExit()).catch((error: unknown) => {
    note(textOf(error));
    return 1;
  }),
);
