/**
 * A simulated Kafka: one topic, and one group with one member that is made to join again from time to time. It checks the
 * generation of a commit and nothing else. Answers are late, refused or lost.
 */
import kafkajs from 'kafkajs';
import type { Committed } from '../../src/kafka/consumer.ts';
import { Broker, type BrokerOptions, connectionClosed } from './broker.ts';
import type { Judge } from './judge.ts';
import { TOPIC } from './partition-log.ts';

const JOIN_MS = 300;
const SYNC_MS = 50;
const ANSWER_MS = 50;
const SLOW_ANSWER_MS = 1_500;

export interface KafkaOptions extends BrokerOptions {
  readonly judge: Judge;
}

interface CommitRequest {
  readonly groupGenerationId: number;
  readonly topics: readonly {
    readonly partitions: readonly { partition: number; offset: string; metadata: string }[];
  }[];
}

export class SimulatedKafka {
  readonly partitions: readonly number[];
  readonly broker: Broker;
  readonly #options: KafkaOptions;
  readonly #committed = new Map<number, Committed>();
  #generation = 0;
  #isRebalancing = false;
  #assigned = 0;
  #lastCommit: Promise<void> = Promise.resolve();

  constructor(options: KafkaOptions) {
    this.#options = options;
    this.partitions = options.logs.map((_, partition) => partition);
    this.broker = new Broker(options);
  }

  /** 0: nothing. */
  committed(partition: number): number {
    return this.#committed.get(partition)?.offset ?? 0;
  }

  get totalCommitted(): number {
    return this.partitions.reduce((sum, partition) => sum + this.committed(partition), 0);
  }

  /** Whether another member has some of the partitions. */
  get isShared(): boolean {
    return this.#assigned < this.partitions.length;
  }

  rebalance(): void {
    this.#options.history.tell('Kafka: the group rebalances');
    this.#isRebalancing = true;
  }

  /** What an admin client is told of the group. */
  async allCommitted(): Promise<Map<string, Committed>> {
    await this.#answer();
    return new Map([...this.#committed].map(([partition, committed]) => [`${TOPIC}/${partition}`, committed]));
  }

  /** As KafkaJS's consumer sees it. */
  get coordinator() {
    return {
      isConnected: () => true,
      joinGroup: () => this.#join(),
      syncGroup: () => this.#sync(),
      heartbeat: () => this.#heartbeat(),
      leaveGroup: async () => {},
      offsetCommit: (request: CommitRequest) => this.#commit(request),
      offsetFetch: async () => ({
        responses: [{ topic: TOPIC, partitions: this.partitions.map((partition) => this.#committedOf(partition)) }],
      }),
    };
  }

  #committedOf(partition: number): { partition: number; offset: string } {
    return { partition, offset: String(this.#committed.get(partition)?.offset ?? -1) };
  }

  async #join() {
    await this.#options.chance.within(JOIN_MS);
    this.#isRebalancing = false;
    this.#generation += 1;
    return { generationId: this.#generation, leaderId: 'another', memberId: 'm', members: [], groupProtocol: '' };
  }

  async #sync() {
    const { chance, faults } = this.#options;
    await chance.within(SYNC_MS);
    const count = faults.strikes('smallAssignment') ? 1 + chance.below(this.partitions.length) : this.partitions.length;
    this.#assigned = count;
    const assignment = { [TOPIC]: this.partitions.slice(0, count) };
    const { MemberAssignment } = kafkajs.AssignerProtocol;
    return { memberAssignment: MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) }) };
  }

  async #heartbeat(): Promise<void> {
    await this.#options.chance.within(ANSWER_MS);
    if (this.#isRebalancing) throw refusal('REBALANCE_IN_PROGRESS');
    if (this.#options.faults.strikes('lostHeartbeat')) throw connectionClosed();
  }

  /** One after the other, as a connection has them. */
  async #commit({ groupGenerationId, topics }: CommitRequest): Promise<void> {
    const { chance, faults } = this.#options;
    const turn = this.#lastCommit.then(() => this.#answer());
    this.#lastCommit = turn;
    await turn;
    const isRefused = this.#isRebalancing && faults.strikes('refusedCommit');
    if (groupGenerationId !== this.#generation || isRefused) throw refusal('ILLEGAL_GENERATION');
    for (const { partition, offset, metadata } of topics.flatMap(({ partitions }) => partitions))
      this.#take(partition, { offset: Number(offset), metadata });
    await chance.within(ANSWER_MS);
    if (faults.strikes('lostCommitReply')) throw connectionClosed();
  }

  #take(partition: number, commit: Committed): void {
    const { judge, history } = this.#options;
    history.tell(`Kafka, partition ${partition}: commit of ${commit.offset}`, partition);
    judge.commits(partition, this.committed(partition), commit);
    this.#committed.set(partition, commit);
  }

  #answer(): Promise<void> {
    const { chance, faults } = this.#options;
    return chance.within(faults.strikes('slowAnswer') ? SLOW_ANSWER_MS : ANSWER_MS);
  }
}

function refusal(type: string): Error {
  return new kafkajs.KafkaJSProtocolError(Object.assign(new Error(type), { type, retriable: true }));
}
