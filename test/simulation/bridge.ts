/**
 * The bridge over simulated servers. Its own are: the consumer, what holds, feeds, sends, claims, commits and carries, the
 * gate, the look after partitions that stand still. Which jobs are finished it learns in a way of its own.
 */
import { commitSettled } from '../../src/bridge/commit.ts';
import { Flow } from '../../src/bridge/flow.ts';
import { Holdings } from '../../src/bridge/holdings.ts';
import { LedgerCalls } from '../../src/bridge/ledger-calls.ts';
import { LongJobs } from '../../src/bridge/long-jobs.ts';
import { ProgressWatch } from '../../src/bridge/progress.ts';
import { Shard } from '../../src/bridge/shard.ts';
import { systemClock } from '../../src/clock.ts';
import { messageOf } from '../../src/errors.ts';
import { kafkaConfig } from '../../src/kafka/config.ts';
import type { BatchControl, GroupConsumer, RecordBatch } from '../../src/kafka/consumer.ts';
import { createGroupConsumer } from '../../src/kafka/group-consumer.ts';
import { createMetrics } from '../../src/metrics.ts';
import { gateConfig } from '../../src/redis/config.ts';
import { adminOf, type ClientsOptions, readerOf } from './clients.ts';
import type { Judge } from './judge.ts';
import { learnFinished } from './learn-finished.ts';
import { TOPIC } from './partition-log.ts';
import type { SimulatedRedis } from './redis.ts';
import { type SideTopics, stagesOf } from './stages.ts';

const COMMIT_EVERY_MS = 1_000;
/** Whatever is unfinished and older is carried. */
const LONG_JOBS = { lookEveryMs: 700, fillShare: -1, oldAfterMs: 2_000, retentionShare: 0.5 };

export interface BridgeOptions extends ClientsOptions {
  readonly redis: readonly SimulatedRedis[];
  readonly topics: SideTopics;
  readonly judge: Judge;
}

export class SimulatedBridge {
  readonly holdings: Holdings;
  batches = 0;
  readonly #options: BridgeOptions;
  readonly #common;
  readonly #shards: ReadonlyMap<string, Shard>;
  readonly #admin;
  readonly #flow: Flow;
  readonly #consumer: GroupConsumer;

  constructor(options: BridgeOptions) {
    this.#options = options;
    const { history, redis, topics } = options;
    const { signal } = new AbortController();
    this.#common = { log: history.log, metrics: createMetrics(), clock: systemClock, signal };
    this.#shards = new Map(redis.map((each) => [each.name, this.#shardOf(each)]));
    this.#admin = adminOf(options);
    this.#consumer = this.#createConsumer();
    const outlets = [...this.#shards.values()].map((shard) => ({ shard, sink: shard.sinks.bullmq }));
    const plan = { stages: stagesOf(topics, this.#common.metrics), outlets, fingerprint: 'f' };
    const parts = {
      ...this.#common,
      ...{ consumer: () => this.#consumer, plan: () => plan, carried: topics.carried.bind(topics) },
    };
    const onChange = () => this.#flow.regulate();
    const about = { groupId: 'g', topics: [TOPIC], admin: this.#admin, shards: this.#shards, onChange };
    this.holdings = new Holdings({ ...parts, ...about });
    this.#flow = new Flow({ ...parts, holdings: this.holdings });
  }

  async start(): Promise<void> {
    await Promise.all([...this.#shards.values()].map((shard) => shard.start()));
    const reader = readerOf(this.#options);
    const parts = { ...this.#common, admin: this.#admin, reader, delays: this.#options.topics.delays };
    void new LongJobs({ ...parts, limits: LONG_JOBS, held: () => this.holdings.all }).run();
    void learnFinished(new LedgerCalls({ ...this.#common, holdings: this.holdings }));
    void this.#commitLoop(new ProgressWatch(this.#admin, reader));
    await this.#consumer.start();
  }

  /** Where each partition stands, for a person. */
  get standing(): string {
    const all = this.holdings.all.map(({ partition, state, position, acked, isFlowing, isBusy, haltReason }) =>
      JSON.stringify({ partition, state, position, acked, isFlowing, isBusy, haltReason }),
    );
    return `the bridge holds ${all.join(', ')}`;
  }

  #shardOf({ sinks }: SimulatedRedis): Shard {
    const queues = () => ({ bullmq: [], sidekiq: [] });
    return new Shard({
      ...this.#common,
      sinks,
      gate: gateConfig.parse({}),
      queues,
      onChange: () => this.#flow.regulate(),
    });
  }

  #createConsumer(): GroupConsumer {
    const { history } = this.#options;
    const consumer = createGroupConsumer({
      ...{ config: kafkaConfig.parse({ groupId: 'g' }), topics: [TOPIC], log: history.log },
      handlers: {
        assigned: (assignment) => this.holdings.assigned(assignment),
        revoked: () => this.holdings.revoked(),
        records: (batch, control) => this.#take(batch, control),
        outOfRange: ({ partition }) => history.violated(`partition ${partition}: out of range`, partition),
        failed: (error) => history.violated(`the consumer failed: ${messageOf(error)}`),
      },
    });
    return consumer;
  }

  #take(batch: RecordBatch, control: BatchControl): Promise<void> {
    const { history, judge } = this.#options;
    const { partition, start, end } = batch;
    const position = this.holdings.get(batch)?.position ?? -1;
    this.batches += 1;
    history.tell(`batch of partition ${partition}: ${start} to ${end - 1}, standing at ${position}`, partition);
    judge.takes(batch, position);
    return this.#flow.records(batch, control);
  }

  async #commitLoop(progress: ProgressWatch): Promise<void> {
    const { history, kafka } = this.#options;
    for (;;) {
      await systemClock.sleep(COMMIT_EVERY_MS);
      await commitSettled(this.holdings.epoch, this.holdings.all, {
        ...{ consumer: this.#consumer, fingerprint: () => 'f', log: this.#common.log },
        present: () => kafka.allCommitted(),
        onVanished: ({ partition }) => history.violated(`partition ${partition}: its commit has vanished`, partition),
      });
      this.holdings.tellRecovered();
      const onFatal = (error: unknown) => history.violated(`the bridge gives up: ${messageOf(error)}`);
      await progress.look(this.holdings.all, systemClock.now()).catch(onFatal);
    }
  }
}
