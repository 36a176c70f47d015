/**
 * Of what a fetch returned, the records that count: from the asked offset on, without those of aborted transactions and
 * without the marks that end transactions.
 * Source: https://kafka.apache.org/documentation/#controlbatch, and the list of aborted transactions of Fetch.
 */
import type { KafkaMessage } from 'kafkajs';

export type FetchedMessage = KafkaMessage & {
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
};

export interface FetchedPartition {
  readonly messages: readonly FetchedMessage[];
  /** In the order in which they ended, each ended by a mark of its producer's. */
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[] | null;
  /** Records from here on belong to transactions that are not decided, or are not there yet. */
  readonly lastStableOffset: string;
}

export function committedOnly({ messages, abortedTransactions }: FetchedPartition, from: number): FetchedMessage[] {
  const starts = [...(abortedTransactions ?? [])].sort((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  const aborted = new Set<string>();
  return messages.filter((message) => {
    const { producerId, inTransaction } = message.batchContext ?? {};
    while (Number(starts[0]?.firstOffset) <= Number(message.offset)) aborted.add(starts.shift()?.producerId ?? '');
    // A producer's mark ends its transaction, whichever way.
    if (message.isControlRecord) aborted.delete(producerId);
    const isTakenBack = inTransaction && aborted.has(producerId);
    return !message.isControlRecord && !isTakenBack && Number(message.offset) >= from;
  });
}

/** The same for KafkaJS's own batches: records that do not count look like marks, which they leave out and pass by. */
export function abortedAsMarks<P extends FetchedPartition>(fetched: P): P {
  if (!fetched.abortedTransactions?.length) return fetched;
  const committed = new Set(committedOnly(fetched, 0));
  const messages = fetched.messages.map((each) => (committed.has(each) ? each : { ...each, isControlRecord: true }));
  return { ...fetched, messages, abortedTransactions: [] };
}
