/** The topic that lines are produced to: one whose records are of the kind that is written, and are consumed. */
import { SluiceError } from '../errors.ts';
import { DEFAULT_SIDEKIQ_TOPIC } from '../producer/settings.ts';
import { suggestion } from '../suggest.ts';
import { type Config, DEFAULT_TOPIC } from './config/schema.ts';

const USUAL = { envelope: DEFAULT_TOPIC, sidekiq: DEFAULT_SIDEKIQ_TOPIC };
const WRITTEN = { envelope: 'sluice produce writes envelopes', sidekiq: 'with --sidekiq, Sidekiq jobs are written' };

/** The topic asked for, or the one that is consumed; of several, the usual one. */
export function topicFor({ topics }: Config, kind: keyof typeof USUAL, asked: string | undefined): string {
  const fitting = Object.keys(topics).filter((name) => topics[name]?.record === kind);
  const usual = USUAL[kind];
  if (asked === undefined && fitting.length > 1 && !fitting.includes(usual)) {
    throw new SluiceError('USAGE', `--topic: missing; several are consumed: ${fitting.join(', ')}`);
  }
  const topic = asked ?? (fitting.includes(usual) ? usual : (fitting[0] ?? usual));
  const known = topics[topic];
  if (known !== undefined && known.record !== kind) {
    throw new SluiceError('USAGE', `--topic: ${topic} holds ${known.record} records; ${WRITTEN[kind]}`);
  }
  return topic;
}

/** Nothing becomes of what nobody takes from Kafka. */
export function warnOfTopic({ topics }: Config, topic: string): void {
  if (Object.hasOwn(topics, topic)) return;
  const names = Object.keys(topics);
  const hint = suggestion(topic, names) || `: ${names.join(', ')}`;
  process.stderr.write(`warning: ${topic} is not among the topics that are consumed${hint}\n`);
}
