/** Inside kafkajs 2.2.4: what its runner hands on, and decides by. */
declare module 'kafkajs/src/consumer/batch.js' {
  import type { KafkaMessage } from 'kafkajs';

  export default class Batch {
    constructor(topic: string, fetchedOffset: string, partition: object);
    readonly messages: readonly KafkaMessage[];
    readonly rawMessages: readonly KafkaMessage[];
    isEmptyDueToFiltering(): boolean;
    firstOffset(): string | null;
    lastOffset(): string;
  }
}
