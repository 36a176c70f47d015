/** Faults of Kafka, of its topics, and of the way to it. */
import { systemClock } from '../../clock.ts';
import type { Kind } from './kind.ts';

const AWAY_MS = 2_000;
const CUT_MS = 4_000;
/** Beyond the session: the group goes on without it, and it goes on with Redis. */
const SPLIT_MS = 6_000;

export const KAFKA_KINDS: readonly Kind[] = [
  {
    name: 'broker-kill',
    area: 'kafka',
    needs: ['broker'],
    does: 'kill -9 of the broker, started again with its data',
    async inject({ broker }) {
      await broker?.kill();
      await systemClock.sleep(AWAY_MS);
      await broker?.start();
    },
  },
  {
    name: 'kafka-cut-bridges',
    area: 'kafka',
    needs: ['kafka-network'],
    does: 'the network between bridges and Kafka breaks',
    async inject({ toKafka }) {
      await Promise.all(toKafka.map((network) => network.goAway()));
      await systemClock.sleep(CUT_MS);
      await Promise.all(toKafka.map((network) => network.comeBack()));
    },
  },
  {
    name: 'two-bridges',
    area: 'kafka',
    needs: ['kafka-network'],
    does: 'one bridge hears nothing of Kafka any more and still reaches Redis, while another takes its partitions',
    async inject({ toKafka }, random) {
      const network = toKafka[Math.floor(random() * toKafka.length)];
      network?.hang();
      await systemClock.sleep(SPLIT_MS);
      network?.wake();
    },
  },
  {
    name: 'partitions-added',
    area: 'kafka',
    does: 'the topic gets one more partition',
    async inject(world) {
      const { topic, kafkaWatch, produce } = world;
      world.partitions += 1;
      const topicPartitions = [{ topic, count: world.partitions }];
      await kafkaWatch.admin.createPartitions({ topicPartitions });
      produce({ do: 'partitions', partitions: world.partitions });
    },
  },
];
