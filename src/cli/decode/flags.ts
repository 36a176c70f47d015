/** What `sluice decode` is asked for, and whether it fits together. */
import { SluiceError } from '../../errors.ts';
import { suggestion } from '../../suggest.ts';
import type { Config } from '../config/schema.ts';
import type { CommonFlags } from '../context.ts';

type Topic = Config['topics'][string];

export interface DecodeFlags extends CommonFlags {
  readonly topic?: string;
  readonly as?: string;
  readonly json?: string;
  readonly file?: string;
  readonly raw?: boolean;
  readonly base64?: boolean;
  readonly partition?: number;
  readonly offset?: number;
  readonly key?: string;
  readonly time?: string;
}

const TARGETS: readonly Topic['target'][] = ['bullmq', 'sidekiq'];

/** A record in Kafka is asked for. */
export function isStored(
  flags: DecodeFlags,
): flags is DecodeFlags & Required<Pick<DecodeFlags, 'partition' | 'offset'>> {
  return flags.partition !== undefined && flags.offset !== undefined;
}

export function checkFlags(flags: DecodeFlags): void {
  const { json, raw, base64, partition, offset } = flags;
  if (partition !== undefined || offset !== undefined) {
    if (!isStored(flags))
      throw new SluiceError('USAGE', 'a record in Kafka is named by --topic, --partition and --offset');
    const other = (['json', 'file', 'raw', 'base64', 'key'] as const).find((name) => flags[name] !== undefined);
    if (other !== undefined) throw new SluiceError('USAGE', `--${other}: means nothing for a record in Kafka`);
  }
  if (raw && base64) throw new SluiceError('USAGE', '--raw and --base64: give one of them');
  if (json !== undefined && (raw || base64))
    throw new SluiceError('USAGE', `--${raw ? 'raw' : 'base64'}: bytes come from --file or stdin, and not by --json`);
}

export function topicOf({ topics }: Config, asked: string | undefined): string {
  const names = Object.keys(topics);
  const topic = asked ?? (names.length === 1 ? names[0] : undefined);
  if (topic === undefined) throw new SluiceError('USAGE', `--topic: missing; allowed: ${names.join(', ')}`);
  if (Object.hasOwn(topics, topic)) return topic;
  throw new SluiceError(
    'USAGE',
    `--topic: ${topic} is not consumed${suggestion(topic, names)}; consumed: ${names.join(', ')}`,
  );
}

/** Says to whoever relies on it that the topic has another target than is believed. */
export function checkTarget(topic: string, { target }: Topic, asked: string | undefined): void {
  if (asked === undefined || asked === target) return;
  if (TARGETS.some((each) => each === asked))
    throw new SluiceError('USAGE', `--as: the records of ${topic} become jobs of ${target}`);
  throw new SluiceError(
    'USAGE',
    `--as: "${asked}" is not allowed${suggestion(asked, TARGETS)}; allowed: ${TARGETS.join(', ')}`,
  );
}

export function checkType(topic: string, { record, message }: Topic, type: string | undefined): void {
  if (type === undefined || record === 'envelope' || type === message) return;
  throw new SluiceError('USAGE', `${topic} holds ${message ?? 'Sidekiq jobs'}; leave out ${type}`);
}
