/**
 * `sluice replay`: has the records of the last while enqueued once more, of topics whose records are finished when their
 * jobs are in Sidekiq's Redis: Kafka does not know which of them Ruby has run when that Redis is lost. A running bridge
 * takes it as an order, partition by partition; with none, it is written beside Kafka's commit for the next one.
 */
import { SluiceError } from '../../errors.ts';
import { partitionKey } from '../../kafka/consumer.ts';
import type { Config } from '../config/schema.ts';
import { confirmed } from '../confirm.ts';
import { type CommonFlags, createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { printJson, printLines } from '../output.ts';
import { timeOf } from '../time.ts';
import { withOffsets } from './access.ts';
import { lookAt, type OffsetsAccess, type PartitionView } from './facts.ts';
import { planJson, planLines } from './plan-text.ts';
import { commitAll, orderOne, planStep, type Step } from './reset.ts';

export interface ReplayFlags extends CommonFlags {
  readonly topic?: string;
  readonly since?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export async function replay(flags: ReplayFlags): Promise<number> {
  const { config, clock } = await createContext(flags, 'offsets');
  const topics = topicsToReplay(config, flags.topic);
  return withOffsets(config, async (access) => {
    const steps: Step[] = [];
    for (const topic of topics) steps.push(...(await plan(access, topic, flags.since, clock.now())));
    if (flags.json) for (const { view, plan } of steps) printJson(planJson(view, plan, flags.dryRun === true));
    else if (steps.length === 0) printLines(['nothing has been enqueued since then']);
    else printLines(steps.flatMap(({ view, plan }) => planLines(view, plan)));
    if (flags.dryRun || steps.length === 0) return EXIT.ok;
    if (!(await confirmed(`Enqueue again ${steps.map(({ view }) => partitionKey(view)).join(', ')}`, flags))) {
      return EXIT.failed;
    }
    const isAlone = (await access.admin.members(config.kafka.groupId)) === 0;
    if (isAlone) await commitAll(access, steps);
    else await Promise.all(steps.map((step) => orderOne(access, step, clock)));
    if (!flags.json) printLines(['done']);
    return EXIT.ok;
  });
}

/** What other topics have lost comes back by itself. */
function topicsToReplay({ topics }: Config, asked: string | undefined): string[] {
  const fit = Object.entries(topics).filter(([, { target, settle }]) => target === 'sidekiq' && settle === 'enqueued');
  const names = fit.map(([name]) => name);
  if (asked === undefined && names.length > 0) return names;
  if (asked !== undefined && names.includes(asked)) return [asked];
  const which = names.length > 0 ? `such topics: ${names.join(', ')}` : 'no topic here is such a one';
  const text = 'a replay is for Sidekiq topics that are settled when enqueued; others get back what Redis loses';
  throw new SluiceError('USAGE', `${asked === undefined ? '' : `--topic ${asked}: `}${text}; ${which}`);
}

/** Only partitions of which something was committed since then: the rest is enqueued anyway. */
async function plan(access: OffsetsAccess, topic: string, since: string | undefined, now: number): Promise<Step[]> {
  const { admin, config } = access;
  const { lookBackMs } = config.topics[topic] as Config['topics'][string];
  const from = since === undefined ? now - lookBackMs : timeOf('--since', since, now);
  const [views, offsets] = [await lookAt(access, topic), await admin.offsetsAt(topic, from)];
  const offsetOf = (view: PartitionView) => offsets.get(partitionKey(view)) ?? view.facts.bounds.high;
  return views
    .filter((view) => offsetOf(view) < (view.facts.committed ?? 0))
    .map((view) => planStep(view, { offset: offsetOf(view), recordsAre: 'new' }));
}
