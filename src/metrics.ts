/**
 * Every metric of Sluice, declared once, with its unit in its name (Prometheus naming).
 * `createMetrics` gives one process its own registry; components get the object injected.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `sluice_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name: `sluice_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]) =>
    new Histogram({ name: `sluice_${name}`, help, labelNames, buckets, registers });

  return {
    registry,
    recordsRead: counter('records_read_total', 'Records taken from Kafka, redelivered ones included.', ['topic']),
    jobsEnqueued: counter('jobs_enqueued_total', 'Jobs that the ledger created.', ['topic', 'queue']),
    recordsDeadLettered: counter('records_dead_lettered_total', 'Letters acked by Kafka.', ['topic', 'reason']),
    recordsSettled: counter('records_settled_total', 'Records finished for good, by outcome.', ['topic', 'outcome']),
    lateRecordsMoved: counter('late_records_moved_total', 'Late records moved on in Kafka, nearer to their time.', [
      'topic',
    ]),
    recordsCarried: counter('records_carried_total', 'Records of long jobs that the commit has passed.', ['topic']),
    retentionLeft: gauge(
      'retention_left_seconds',
      'Time until Kafka may delete the oldest unfinished record that this bridge holds.',
      ['topic'],
    ),
    schemaDrift: counter('schema_drift_total', 'Events with unknown fields or enum values.', ['message']),
    gateOpen: gauge('gate_open', '1 while the gate is open.', ['redis']),
    gateChanges: counter('gate_changes_total', 'Openings and closings.', ['redis', 'to', 'cause']),
    redisUsedBytes: gauge('redis_used_bytes', 'used_memory of the last reading.', ['redis']),
    bytesPerJob: gauge('redis_bytes_per_job', 'Measured memory of one waiting job.', ['redis']),
    partitionsHalted: gauge('partitions_halted', 'Partitions that wait for an operator.', ['topic']),
    reclaims: counter('reclaims_total', 'Times that a partition was claimed again, by cause.', ['cause']),
    stockScript: gauge(
      'bullmq_stock_script',
      '1 when the installed BullMQ is untested and its own script is used.',
      [],
    ),
    jobsRemovedAgain: counter(
      'jobs_removed_again_total',
      'Jobs of finished records that a restored Redis brought back, and that were removed.',
      ['topic'],
    ),
    lossesRecovered: counter('losses_recovered_total', 'Losses of Redis made good, by partition.', ['topic', 'kind']),
    jobsEnqueuedAgain: counter('jobs_enqueued_again_total', 'Jobs made again after a loss of Redis.', ['topic']),
    attempts: counter('attempts_total', 'Runs of workers, by outcome.', ['message', 'outcome']),
    attemptSeconds: histogram(
      'attempt_seconds',
      'Duration of one run.',
      ['message'],
      [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    ),
    eventsDelivered: counter('collector_events_total', 'Events by final outcome at the collector.', ['outcome']),
    collectorRequests: counter('collector_requests_total', 'Requests by HTTP status, 0 when none came.', ['status']),
  };
}
