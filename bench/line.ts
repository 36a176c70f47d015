/**
 * All of Sluice in a line, a process each: a producer, Kafka, the bridge, Redis, the host, and a collector that checks and
 * counts what it accepts. How far each is, and how large, is asked from outside.
 */
import type { ChildProcess } from 'node:child_process';
import { isAlive } from '../stack/native.ts';
import { readState, stackDir } from '../stack/stack.ts';
import { end, node, pause, startRedis } from './contest.ts';
import { startHost } from './drain.ts';
import { bridge, filled } from './fill.ts';
import { cpuUsec, residentMib } from './machine.ts';

const LOOK_MS = 50;
/** Jobs that wait for the collector cost next to nothing: as many as fill several requests. */
const CONCURRENCY = 1_000;

export interface Sample {
  /** Since the line began to be watched. */
  readonly seconds: number;
  /** Events that the collector has accepted. */
  readonly accepted: number;
  /** Records in Kafka that the collector has not accepted. */
  readonly lag: number;
  /** By process. */
  readonly residentMib: Readonly<Record<string, number>>;
  /** Microseconds on a core so far, by process; the producer's while it runs, Kafka's where it was started here. */
  readonly cpuUsec: Readonly<Record<string, number>>;
}

export interface Line {
  /** Resolves when the producer is through; at most once at a time. */
  produce(rate: number, seconds: number): Promise<void>;
  /** What Kafka was given otherwise. */
  given(records: number): void;
  sample(): Sample;
  accepted(count: number): Promise<void>;
  /** Resolves when nothing lags, or something was refused. */
  caughtUp(): Promise<void>;
  readonly refusal: string;
  stop(): Promise<void>;
}

export async function openLine(brokers: string, topic: string): Promise<Line> {
  const server = await startRedis();
  const collector = node(['bench/contestants/collector.ts']);
  let told = { url: '', accepted: 0, refused: 0, why: '' };
  let acked = 0;
  let producer: number | undefined;
  collector.on('message', (message) => {
    told = message as typeof told;
  });
  while (told.url === '') await pause(LOOK_MS);
  const settings = { COLLECTOR_URL: told.url, SLUICE_KAFKA__GROUP_ID: `${topic}-sluice-0` };
  const children: Record<string, ChildProcess> = {
    collector,
    bridge: bridge(brokers, topic, { queue: 'filled' }, filled).start(server, 0),
    host: startHost(brokers, server.url, 'tracked', settings, CONCURRENCY),
  };
  const kafka = pidOfKafka(brokers);
  const pids = (): readonly (readonly [string, number])[] => [
    ['redis', server.pid],
    ...Object.entries(children).map(([name, { pid }]) => [name, pid as number] as const),
  ];
  const began = performance.now();
  return {
    produce(rate, seconds) {
      const child = node(['bench/contestants/produce.ts', brokers, topic, String(rate), String(seconds)]);
      const before = acked;
      producer = child.pid;
      child.on('message', (message) => {
        acked = before + (message as { acked: number }).acked;
      });
      return new Promise((resolve) => child.once('close', () => resolve()));
    },
    given(records) {
      acked += records;
    },
    sample: () => ({
      seconds: (performance.now() - began) / 1_000,
      accepted: told.accepted,
      lag: acked - told.accepted,
      residentMib: Object.fromEntries(pids().map(([name, pid]) => [name, residentMib(pid)])),
      cpuUsec: Object.fromEntries(
        [...pids(), ['producer', producer] as const, ['kafka', kafka] as const].flatMap(([name, pid]) =>
          pid === undefined ? [] : [[name, cpuUsec(pid)]],
        ),
      ),
    }),
    async accepted(count) {
      while (told.accepted < count) await pause(LOOK_MS);
    },
    async caughtUp() {
      while (told.accepted < acked && told.refused === 0) await pause(LOOK_MS);
    },
    get refusal() {
      return told.refused === 0 ? '' : `${told.refused} requests refused: ${told.why}`;
    },
    async stop() {
      await Promise.all(Object.values(children).map((child) => end(child, 'SIGKILL')));
      await server.stop();
    },
  };
}

/** Of one that was started here; others may run anywhere. */
function pidOfKafka(brokers: string): number | undefined {
  const { kafka } = readState(stackDir());
  if (kafka === undefined || brokers !== `127.0.0.1:${kafka.port}`) return undefined;
  return isAlive(kafka.pid, kafka.mark) ? kafka.pid : undefined;
}
