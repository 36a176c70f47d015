/** `sluice offsets show`: what Kafka and Redis say about each partition, and where that cannot be true. */
import { type CommonFlags, createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { columns, printJson, printLines } from '../output.ts';
import { withOffsets } from './access.ts';
import { lookAt, type PartitionView } from './facts.ts';

const SHAPE_VERSION = 1;

export async function show(flags: CommonFlags & { topic?: string; json?: boolean }): Promise<number> {
  const { config } = await createContext(flags, 'offsets');
  const views = await withOffsets(config, (access) => lookAt(access, flags.topic));
  if (flags.json) for (const view of views) printJson(offsetsJson(view));
  else printLines(table(views));
  return views.some(isHalted) ? EXIT.unhealthy : EXIT.ok;
}

/** It is halted, or will be by the first bridge that takes it. */
export function isHalted({ nonsense, held }: PartitionView): boolean {
  return nonsense !== undefined || held?.state === 'halted';
}

function offsetsJson(view: PartitionView) {
  const { topic, partition, facts, jobs, ledgers, held } = view;
  const { bounds, committed = null, known } = facts;
  return {
    version: SHAPE_VERSION,
    topic,
    partition,
    log: bounds,
    committed,
    generation: known?.generation ?? null,
    reached: known?.reached ?? null,
    finishedAbove: known?.finished ?? [],
    ledgers,
    unsettled: jobs.unsettled,
    state: held?.state ?? 'not held',
    isHalted: isHalted(view),
    reason: reasonOf(view),
  };
}

function reasonOf({ nonsense, held }: PartitionView): string | null {
  if (held?.state === 'halted' && held.haltReason !== '') return held.haltReason;
  return nonsense?.reason ?? null;
}

function table(views: readonly PartitionView[]): string[] {
  const rows = views.map((view) => {
    const { topic, partition, facts, jobs, ledgers } = view;
    const { bounds, committed, known } = facts;
    return [
      `${topic}/${partition}`,
      `${bounds.low} to ${bounds.high}`,
      committed ?? 'nothing',
      known?.generation ?? '',
      known?.finished.reduce((sum, { start, end }) => sum + end - start, 0) ?? '',
      ledgers.map(({ redis, enqueued }) => (ledgers.length === 1 ? `${enqueued}` : `${redis} ${enqueued}`)).join(', '),
      jobs.unsettled,
      isHalted(view) ? 'HALTED' : (view.held?.state ?? 'not held'),
    ];
  });
  const head = [
    'PARTITION',
    'LOG',
    'COMMITTED',
    'GENERATION',
    'FINISHED ABOVE',
    'ENQUEUED',
    'UNFINISHED JOBS',
    'STATE',
  ];
  const halted = views.filter(isHalted);
  return [
    ...columns([head, ...rows]),
    ...halted.flatMap((view) => ['', `${view.topic}/${view.partition}: ${reasonOf(view)}`, ...remedy(view)]),
  ];
}

function remedy({ topic, partition, nonsense, facts, jobs }: PartitionView): string[] {
  const reset = `sluice offsets reset --topic ${topic} --partition ${partition}`;
  if (nonsense?.kind === 'corrupt')
    return ['  look at the keys of this ledger in Redis: something else has written there'];
  if (nonsense?.kind === 'below' || nonsense === undefined) return [`  ${reset} --to earliest --dry-run`];
  const next =
    jobs.lowestUnsettled >= 0 ? jobs.lowestUnsettled : Math.max(...facts.ledgers.map((each) => each.enqueued)) + 1;
  return [
    `  the topic was made anew, or cut:          ${reset} --to earliest --dry-run`,
    ...(next <= facts.bounds.high && next >= facts.bounds.low
      ? [`  it is the same, and only the commit gone: ${reset} --to ${next} --records same --dry-run`]
      : []),
  ];
}
