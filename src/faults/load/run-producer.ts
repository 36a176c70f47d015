/**
 * The kit's producer: keyed records at a steady rate, by a Kafka client of its own. A record counts once Kafka has
 * acked it; one whose fate is unknown is nobody's promise, and is not sent again.
 */
import { crc32 } from 'node:zlib';
import kafkajs, { type Message, type Producer } from 'kafkajs';
import { systemClock } from '../../clock.ts';
import { encodeEnvelope } from '../../schema/envelope.ts';
import { loadSchemas } from '../../schema/load.ts';
import type { Schemas } from '../../schema/schemas.ts';
import { openHistory } from '../history.ts';
import { type KafkaAddress, kafkaClient } from '../kafka-client.ts';
import { createRandom } from '../random.ts';
import { type Course, type DrawnProbe, drawProbe, PROBE, type Probe } from './probe.ts';

const TICK_MS = 50;
const SEND_AT_ONCE = 500;
const PRODUCE_TRIES = 20;
/** The client drops, and says nothing of it, what goes to a partition that it does not know yet. */
const METADATA_MAX_AGE_MS = 1_000;
const BIG_BYTES = 2 * 1_048_576;

export interface ProducerOptions {
  /** File of the history. */
  readonly history: string;
  /** Folder with the proto of the probes. */
  readonly proto: string;
  readonly kafka: KafkaAddress;
  readonly topic: string;
  readonly partitions: number;
  readonly stockQueue: string;
  readonly seed: number;
  /** Records a second. */
  readonly rate: number;
}

/** Records that cannot become jobs. */
export type Poison = 'garbage' | 'tombstone' | 'big' | 'wrong-type';

export type Command =
  | { readonly do: 'rate'; readonly rate: number }
  | { readonly do: 'burst'; readonly records: number }
  | { readonly do: 'partitions'; readonly partitions: number }
  | ({ readonly id: string } & Special);

/** One record of a kind of its own. */
export type Special =
  | { readonly do: 'poison'; readonly poison: Poison }
  | { readonly do: 'course'; readonly course: Course };

interface Outgoing {
  readonly id: string;
  readonly key: string;
  readonly value: Buffer | null;
  readonly track?: true;
  /** It may end as a dead letter. */
  readonly isDoomed?: true;
}

/** Blocked for longer than its lock lasts, a host looks dead. */
const DEADLY: ReadonlySet<Course> = new Set(['kill', 'block', 'dead']);
const DOOMED = { isDoomed: true } as const;

/** Runs until its process ends; `onCommand` is given what takes commands. */
export async function runProducer(
  options: ProducerOptions,
  onCommand: (take: (command: Command) => void) => void,
): Promise<never> {
  const history = openHistory(options.history);
  const schemas = loadSchemas([options.proto]);
  const random = createRandom(options.seed);
  const special: Outgoing[] = [];
  let { rate, partitions } = options;
  let count = 0;
  let extra = 0;

  const next = (): Outgoing => recordOf(drawProbe(options.seed, count++, random), options, schemas);

  onCommand((command) => {
    if (command.do === 'rate') rate = command.rate;
    if (command.do === 'burst') extra += command.records;
    if (command.do === 'partitions') partitions = command.partitions;
    if (command.do === 'poison') special.push(poisonOf(command.poison, command.id));
    if (command.do === 'course') special.push(courseOf(command.course, command.id, schemas));
  });

  const producer = await connected(options.kafka);
  let due = 0;
  for (;;) {
    const startedAt = performance.now();
    due += (rate * TICK_MS) / 1_000;
    const wanted = Math.min(SEND_AT_ONCE, Math.floor(due) + extra);
    extra -= Math.max(0, wanted - Math.floor(due));
    due -= Math.floor(due);
    const records = [...special.splice(0), ...Array.from({ length: wanted }, next)];
    await send(records);
    await systemClock.sleep(Math.max(0, startedAt + TICK_MS - performance.now()));
  }

  async function send(records: readonly Outgoing[]): Promise<void> {
    if (records.length === 0) return;
    const byPartition = Map.groupBy(records, ({ key }) => crc32(key) % partitions);
    const messages = [...byPartition].flatMap(([partition, of]): Message[] =>
      of.map((each) => ({ ...each, partition })),
    );
    const answer = await producer.send({ topic: options.topic, acks: -1, messages }).catch(() => []);
    for (const { partition, baseOffset } of answer) {
      for (const [i, { id, track, isDoomed }] of (byPartition.get(partition) ?? []).entries()) {
        const offset = Number(baseOffset) + i;
        history.append({
          is: 'acked',
          id,
          topic: options.topic,
          partition,
          offset,
          ...(track && { track }),
          ...(isDoomed && { isDoomed }),
        });
      }
    }
  }
}

async function connected(kafka: KafkaAddress): Promise<Producer> {
  const createPartitioner = kafkajs.Partitioners.DefaultPartitioner;
  const producer = kafkaClient(kafka, PRODUCE_TRIES).producer({
    createPartitioner,
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_MAX_AGE_MS,
  });
  await producer.connect();
  return producer;
}

function recordOf({ probe, key, isStock, delayMs }: DrawnProbe, { stockQueue }: ProducerOptions, schemas: Schemas) {
  const value = envelopeOf(probe, schemas, isStock ? stockQueue : undefined, delayMs);
  const isDoomed = DEADLY.has(probe.course ?? 'done');
  return { id: probe.id, key, value, ...(probe.track && { track: true as const }), ...(isDoomed && DOOMED) };
}

function courseOf(course: Course, id: string, schemas: Schemas): Outgoing {
  return { id, key: id, value: envelopeOf({ id, course }, schemas), ...(DEADLY.has(course) && DOOMED) };
}

function envelopeOf(probe: Probe, schemas: Schemas, queue?: string, delayMs = 0): Buffer {
  const codec = schemas.codec(PROBE);
  const now = Date.now();
  const payload = codec.encode(codec.toJson(probe));
  const runAt = delayMs > 0 ? now + delayMs : undefined;
  return Buffer.from(encodeEnvelope({ type: PROBE, payload, id: probe.id, queue, runAt, createdAt: now }));
}

function poisonOf(poison: Poison, id: string): Outgoing {
  const values: Readonly<Record<Poison, () => Buffer | null>> = {
    garbage: () => Buffer.from(`no envelope: ${id}`),
    tombstone: () => null,
    big: () => Buffer.alloc(BIG_BYTES, 0xff),
    'wrong-type': () => Buffer.from(encodeEnvelope({ type: 'sluice.faults.v1.Nobody', payload: Buffer.from(id) })),
  };
  return { id, key: id, value: values[poison](), ...DOOMED };
}
