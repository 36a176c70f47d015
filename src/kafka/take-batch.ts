/**
 * Hands a fetched batch to its handler, and lets the handler do no more than it may: nothing in the name of an epoch
 * that is over, nothing for a partition that was sent elsewhere meanwhile.
 */
import type { EachBatchPayload } from 'kafkajs';
import { SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { isClientError } from './client.ts';
import type { BatchControl, ConsumerHandlers, RecordBatch } from './consumer.ts';
import { toRecord } from './from-client.ts';
import type { Hold, Ownership } from './ownership.ts';

export interface BatchTaker {
  readonly ownership: Ownership;
  readonly handlers: ConsumerHandlers;
  readonly log: Log;
  /** A handler that is silent for longer is taken for stuck: heartbeats alone would keep its partitions for ever (kafkajs#1616). */
  readonly stuckAfterMs: number;
}

/** Rejects with what KafkaJS is to act upon: a rebalance, or a fault after which the batch is read again. */
export async function takeBatch(payload: EachBatchPayload, taker: BatchTaker): Promise<void> {
  const hold = taker.ownership.hold(payload);
  if (hold === undefined || !payload.isRunning()) return;
  const { topic, partition } = payload.batch;
  const watchdog = setTimeout(() => taker.handlers.failed(stuck(payload, taker)), taker.stuckAfterMs);
  try {
    await taker.handlers.records(
      toBatch(payload, hold.epoch, taker.ownership),
      controlOf(payload, hold, taker.ownership),
    );
  } catch (error) {
    if (!hold.isHeld()) return;
    if (!isClientError(error)) taker.log.error({ err: error, topic, partition }, 'batch failed; it is read again');
    throw error;
  } finally {
    clearTimeout(watchdog);
  }
}

function toBatch({ batch }: EachBatchPayload, epoch: number, ownership: Ownership): RecordBatch {
  const { topic, partition, messages } = batch;
  const [end, highWatermark] = [Number(batch.lastOffset()) + 1, Number(batch.highWatermark)];
  const place = { start: ownership.startOf(batch), end };
  return { topic, partition, epoch, records: messages.map(toRecord), highWatermark, ...place };
}

function controlOf(payload: EachBatchPayload, hold: Hold, ownership: Ownership): BatchControl {
  return {
    isCurrent: () => hold.isInPlace() && payload.isRunning(),
    resolve(offset) {
      if (!hold.isInPlace()) return;
      payload.resolveOffset(String(offset));
      ownership.goesOnAt(payload.batch, offset + 1);
    },
    async heartbeat() {
      if (!hold.isHeld()) throw new SluiceError('DISOWNED', 'the assignment is over');
      await payload.heartbeat();
    },
  };
}

function stuck({ batch }: EachBatchPayload, { stuckAfterMs }: BatchTaker): SluiceError {
  const text = `a batch of ${batch.topic}/${batch.partition} was not handled within ${stuckAfterMs} ms`;
  return new SluiceError('TIMEOUT', text);
}
