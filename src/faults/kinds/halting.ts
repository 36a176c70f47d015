/**
 * Offsets that make no sense: the partition must halt and say so, and nothing is guessed. On a topic and a group of
 * their own, whose records are letters at once, beside the flow, which must not suffer.
 */
import { systemClock } from '../../clock.ts';
import { kafkaClient, makeTopics } from '../kafka-client.ts';
import type { World } from '../world.ts';
import type { Kind } from './kind.ts';

const RECORDS = 10;
const DELETED_TO = 15;
const RESET_TO = 3;
const SOON_MS = 30_000;
const LOOK_MS = 200;
const HALTED = /partition halted; an operator has to decide/;
const ROLE = 'halting-bridge';

interface Scene {
  readonly topic: string;
  produce(): Promise<void>;
  committed(): Promise<number>;
}

async function halting(world: World, name: string, spoil: (scene: Scene) => Promise<void>): Promise<void> {
  const { fleet, history } = world;
  const scene = await openScene(world, name);
  const program = () => world.command(['bridge'], scene.topic, scene.topic);
  await fleet.scale(ROLE, 1, program);
  await scene.produce();
  await soon(async () => (await scene.committed()) === RECORDS);
  await fleet.scale(ROLE, 0, program);
  await spoil(scene);
  const before = await scene.committed();
  await fleet.scale(ROLE, 1, program);
  const hasHalted = await soon(async () => HALTED.test(fleet.of(ROLE)[0]?.said() ?? ''));
  const isUntouched = (await scene.committed()) === before;
  await fleet.scale(ROLE, 0, program);
  history.append({ is: 'expected', what: `${name}: the partition halts and says so`, isMet: hasHalted });
  history.append({ is: 'expected', what: `${name}: nothing is committed for it`, isMet: isUntouched });
}

async function openScene({ topic: main, kafka, kafkaWatch: { admin } }: World, name: string): Promise<Scene> {
  const topic = `${main}.${name}`;
  await makeTopics(admin, [{ topic, numPartitions: 1 }]);
  return {
    topic,
    async produce() {
      const producer = kafkaClient(kafka, 10).producer();
      await producer.connect();
      const messages = Array.from({ length: RECORDS }, (_, i) => ({ value: `no envelope ${i}` }));
      await producer.send({ topic, messages });
      await producer.disconnect();
    },
    async committed() {
      const [answer] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
      return Number(answer?.partitions[0]?.offset ?? -1);
    },
  };
}

async function soon(isSo: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + SOON_MS;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline) return false;
    await systemClock.sleep(LOOK_MS);
  }
  return true;
}

export const HALTING_KINDS: readonly Kind[] = [
  {
    name: 'retention-passed',
    area: 'everything',
    isLast: true,
    does: 'Kafka deletes records of a topic that were not taken yet: its partition halts',
    inject: (world) =>
      halting(world, 'retention-passed', async ({ topic, produce }) => {
        await produce();
        const { admin } = world.kafkaWatch;
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(DELETED_TO) }] });
      }),
  },
  {
    name: 'topic-anew',
    area: 'everything',
    isLast: true,
    does: 'a topic is deleted and made anew: its partition halts',
    inject: (world) =>
      halting(world, 'topic-anew', async ({ topic, produce }) => {
        const { admin } = world.kafkaWatch;
        await admin.deleteTopics({ topics: [topic] });
        await soon(() => makeTopics(admin, [{ topic, numPartitions: 1 }]));
        await produce();
      }),
  },
  {
    name: 'offsets-reset',
    area: 'everything',
    isLast: true,
    does: "somebody resets the group's offsets by another tool: its partition halts",
    inject: (world) =>
      halting(world, 'offsets-reset', async ({ topic }) => {
        const partitions = [{ partition: 0, offset: String(RESET_TO) }];
        await soon(async () => {
          await world.kafkaWatch.admin.setOffsets({ groupId: topic, topic, partitions });
          return true;
        });
      }),
  },
];
