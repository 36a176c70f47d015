/**
 * `sluice offsets reset`: carries out what an operator decides about partitions whose offsets make no sense. Kafka's
 * commit is the decision, and Redis follows it with the next claim, so nothing can be left half done.
 *
 * While the group has members only they can commit. The bridge that holds a halted partition takes the decision as an
 * order within seconds, and the others work on; a partition in work has to be stopped first, because moving it under a
 * bridge would pull the ground from under the jobs that it is settling.
 */
import type { CommitMetadata } from '../../bridge/metadata.ts';
import { encodeMetadata } from '../../bridge/metadata.ts';
import { planReset, type RecordsAre, type ResetPlan, type ResetWish } from '../../bridge/reset-plan.ts';
import type { Clock } from '../../clock.ts';
import { SluiceError } from '../../errors.ts';
import { partitionKey } from '../../kafka/consumer.ts';
import { commitAlone } from '../../kafka/lone-commit.ts';
import { silentLog } from '../../log.ts';
import { createResetOrders } from '../../presence/reset-orders.ts';
import type { Redis } from '../../redis/connection.ts';
import { DEFAULT_REDIS } from '../config/schema.ts';
import { confirmed } from '../confirm.ts';
import { type CommonFlags, createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { printJson, printLines } from '../output.ts';
import { timeOf } from '../time.ts';
import { withOffsets } from './access.ts';
import { lookAt, type OffsetsAccess, type PartitionView } from './facts.ts';
import { planJson, planLines } from './plan-text.ts';
import { isHalted } from './show.ts';

const TAKEN_WITHIN_MS = 30_000;
const LOOK_AGAIN_MS = 250;

export interface ResetFlags extends CommonFlags {
  readonly topic?: string;
  readonly partition?: number;
  readonly to?: string;
  readonly records?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** A partition and what is to become of it. */
export interface Step {
  readonly view: PartitionView;
  readonly plan: ResetPlan;
}

export async function reset(flags: ResetFlags): Promise<number> {
  const { topic, to, records } = flags;
  if (topic === undefined || to === undefined) throw new SluiceError('USAGE', '--topic and --to are needed');
  if (records !== undefined && records !== 'same' && records !== 'new') {
    throw new SluiceError('USAGE', `--records: "${records}" is not allowed; allowed: same, new`);
  }
  const { config, clock } = await createContext(flags, 'offsets');
  return withOffsets(config, async (access) => {
    const views = chosen(await lookAt(access, topic), flags);
    const steps = await planAll(access, views, { to, recordsAre: records }, clock.now());
    if (flags.json) for (const { view, plan } of steps) printJson(planJson(view, plan, flags.dryRun === true));
    else printLines(steps.flatMap(({ view, plan }) => planLines(view, plan)));
    if (flags.dryRun) return EXIT.ok;
    const question = `Reset ${steps.map(({ view }) => partitionKey(view)).join(', ')}`;
    if (!(await confirmed(question, flags))) return EXIT.failed;
    await carryOut(access, steps, clock);
    if (!flags.json) printLines(['done']);
    return EXIT.ok;
  });
}

/** Without --partition, those that are halted: a whole topic is not moved by a slip. */
function chosen(views: readonly PartitionView[], { topic, partition }: ResetFlags): readonly PartitionView[] {
  if (partition === undefined) {
    const halted = views.filter(isHalted);
    if (halted.length > 0) return halted;
    throw new SluiceError(
      'USAGE',
      `no partition of ${topic} is halted; --partition names one that is to be moved all the same`,
    );
  }
  const view = views.find((each) => each.partition === partition);
  if (view === undefined) {
    const there = views.length === 1 ? 'partition 0 alone' : `partitions 0 to ${views.length - 1}`;
    throw new SluiceError('USAGE', `--partition: ${topic} has ${there}`);
  }
  return [view];
}

async function planAll(
  { admin }: OffsetsAccess,
  views: readonly PartitionView[],
  { to, recordsAre }: { to: string; recordsAre: RecordsAre | undefined },
  now: number,
): Promise<Step[]> {
  const [first] = views;
  const isTime = !/^(earliest|latest|\d{1,15})$/.test(to);
  const times = isTime && first !== undefined ? await admin.offsetsAt(first.topic, timeOf('--to', to, now)) : new Map();
  return views.map((view) => {
    const { bounds } = view.facts;
    const named = { earliest: bounds.low, latest: bounds.high }[to] ?? times.get(partitionKey(view)) ?? Number(to);
    return planStep(view, { offset: named, recordsAre });
  });
}

/** Throws USAGE when the wish makes no sense. */
export function planStep(view: PartitionView, wish: Omit<ResetWish, 'fingerprint'>): Step {
  const plan = planReset(view.facts, view.jobs, { ...wish, fingerprint: view.fingerprint });
  if (typeof plan === 'string') throw new SluiceError('USAGE', `${partitionKey(view)}: ${plan}`);
  return { view, plan };
}

async function carryOut(access: OffsetsAccess, steps: readonly Step[], clock: Clock): Promise<void> {
  const { config, admin } = access;
  if ((await admin.members(config.kafka.groupId)) > 0) await orderAll(access, steps, clock);
  else await commitAll(access, steps);
}

export async function commitAll({ config }: OffsetsAccess, steps: readonly Step[]): Promise<void> {
  const offsets = steps.map(({ view: { topic, partition }, plan: { offset, metadata } }) => {
    return { topic, partition, offset, metadata: encodeMetadata(offset, metadata) };
  });
  await commitAlone(config.kafka, offsets, silentLog);
}

async function orderAll(access: OffsetsAccess, steps: readonly Step[], clock: Clock): Promise<void> {
  const inWork = steps.filter(({ view }) => view.held !== undefined && view.held.state !== 'halted');
  if (inWork.length > 0) {
    const names = inWork.map(({ view }) => partitionKey(view)).join(', ');
    throw new SluiceError('UNFIT', `${names}: a bridge is at work on it; stop the bridges of the group first`);
  }
  for (const step of steps) await orderOne(access, step, clock);
}

/** A bridge that was killed is a member for a while yet: when the last one is gone, nobody needs to be asked. */
export async function orderOne(access: OffsetsAccess, step: Step, clock: Clock): Promise<void> {
  const { config, admin, redis } = access;
  const { view, plan } = step;
  const { groupId } = config.kafka;
  const orders = createResetOrders(redis.get(DEFAULT_REDIS) as Redis, groupId);
  const metadata: CommitMetadata = plan.metadata;
  await orders.place(view, { offset: plan.offset, metadata });
  const until = clock.now() + TAKEN_WITHIN_MS;
  while (clock.now() < until) {
    await clock.sleep(LOOK_AGAIN_MS);
    if ((await orders.read(view)) === undefined) return;
    if ((await admin.members(groupId)) === 0) break;
  }
  if (!(await orders.remove(view))) return;
  if ((await admin.members(groupId)) === 0) return commitAll(access, [step]);
  const text = `${partitionKey(view)}: no bridge took the order within ${TAKEN_WITHIN_MS / 1_000} s; nothing was changed`;
  throw new SluiceError(
    'TIMEOUT',
    `${text}. Is it halted? Stop the bridges of group ${groupId}, or wait until one holds it`,
  );
}
