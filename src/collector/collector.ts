/**
 * Delivers events to the HTTP collector. Events of concurrent jobs share a request; each is done when the collector
 * has accepted its batch, and keeps its id through every try. An event waits for nobody longer than its deadline:
 * COLLECTOR_UNAVAILABLE then, COLLECTOR_REFUSED when it is wanted never. Nothing is dropped in silence.
 */
import { Pool } from 'undici';
import { backoffDelay } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { TrackerFields } from '../definition/worker.ts';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Service, within } from '../service.ts';
import type { CollectorConfig } from './config.ts';
import { batchBody, eventText, FRAME_BYTES, PATH } from './tp2.ts';
import { type Verdict, verdictOf } from './verdict.ts';

const BACKOFF = { baseMs: 200, maxMs: 10_000 };
/** Events held at once; more callers wait. */
const MOST_PENDING = 20_000;

interface Pending {
  readonly text: string;
  readonly bytes: number;
  readonly expiresAt: number;
  readonly resolve: () => void;
  readonly reject: (error: SluiceError) => void;
}

export interface Collector extends Service {
  /** Resolves once the event is accepted. `eventId` is a UUID. */
  track(fields: TrackerFields, eventId: string): Promise<void>;
}

export interface CollectorDeps {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

export function createCollector(config: CollectorConfig, { log, metrics, clock }: CollectorDeps): Collector {
  const pool =
    config.url === undefined ? undefined : new Pool(new URL(config.url).origin, { connections: config.connections });
  const path = config.url === undefined ? PATH : new URL(config.url).pathname.replace(/\/$/, '') + PATH;
  const stopping = new AbortController();
  const waiting: Pending[] = [];
  const underWay = new Set<Promise<void>>();
  const room: (() => void)[] = [];
  let pending = 0;
  let waitingBytes = FRAME_BYTES;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let restUntil = 0;

  async function track(fields: TrackerFields, eventId: string): Promise<void> {
    if (pool === undefined) {
      throw new SluiceError('COLLECTOR_REFUSED', 'no collector is configured: set collector.url or COLLECTOR_URL');
    }
    const text = eventText(fields, { eventId, appId: config.appId, namespace: config.namespace, now: clock.now() });
    const bytes = Buffer.byteLength(text) + 24;
    while (pending >= MOST_PENDING) await new Promise<void>((resolve) => room.push(resolve));
    if (stopping.signal.aborted) throw stopped();
    pending += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        enqueue({ text, bytes, expiresAt: clock.now() + config.deadlineMs, resolve, reject });
      });
    } finally {
      pending -= 1;
      room.shift()?.();
    }
  }

  function enqueue(event: Pending): void {
    if (waiting.length > 0 && waitingBytes + event.bytes > config.batchBytes) flush();
    waiting.push(event);
    waitingBytes += event.bytes;
    if (waiting.length >= config.batchEvents) flush();
    // With nothing under way there is nobody to wait for: the companions are those of this turn.
    else timer ??= setTimeout(flush, underWay.size === 0 ? 0 : config.batchAgeMs);
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting.splice(0);
    waitingBytes = FRAME_BYTES;
    if (batch.length === 0) return;
    const delivery = deliver(batch).finally(() => underWay.delete(delivery));
    underWay.add(delivery);
  }

  async function deliver(batch: readonly Pending[]): Promise<void> {
    let events = batch;
    while (events.length > 0) {
      if (restUntil > clock.now()) await clock.sleep(restUntil - clock.now(), stopping.signal);
      events = dropExpired(events);
      if (events.length === 0) return;
      const verdict = await send(events);
      if (verdict.kind === 'accepted') return accept(events);
      if (verdict.kind === 'refused') return refuse(events, 'the collector refuses the batch for good');
      if (verdict.kind === 'split') return split(events);
      rest(verdict.afterMs);
    }
  }

  function accept(events: readonly Pending[]): void {
    if (failures > 0) log.info({}, 'the collector accepts events again');
    failures = 0;
    metrics.eventsDelivered.inc({ outcome: 'accepted' }, events.length);
    for (const event of events) event.resolve();
  }

  function refuse(events: readonly Pending[], reason: string): void {
    metrics.eventsDelivered.inc({ outcome: 'refused' }, events.length);
    for (const event of events) event.reject(new SluiceError('COLLECTOR_REFUSED', reason));
  }

  async function split(events: readonly Pending[]): Promise<void> {
    if (events.length === 1) return refuse(events, 'the collector finds the event too large');
    const half = Math.ceil(events.length / 2);
    await Promise.all([deliver(events.slice(0, half)), deliver(events.slice(half))]);
  }

  /** All batches rest together: a collector that is down is asked by few. */
  function rest(afterMs: number | undefined): void {
    failures += 1;
    restUntil = Math.max(restUntil, clock.now() + (afterMs ?? backoffDelay(BACKOFF, failures)));
  }

  function dropExpired(events: readonly Pending[]): readonly Pending[] {
    const now = clock.now();
    const expired = events.filter(({ expiresAt }) => expiresAt <= now || stopping.signal.aborted);
    for (const event of expired) {
      metrics.eventsDelivered.inc({ outcome: 'unavailable' });
      event.reject(stopping.signal.aborted ? stopped() : unavailable());
    }
    return expired.length === 0 ? events : events.filter((event) => !expired.includes(event));
  }

  function unavailable(): SluiceError {
    return new SluiceError(
      'COLLECTOR_UNAVAILABLE',
      `the collector did not accept the event within ${config.deadlineMs} ms`,
    );
  }

  async function send(events: readonly Pending[]): Promise<Verdict> {
    const body = batchBody(
      events.map(({ text }) => text),
      clock.now(),
    );
    try {
      const {
        statusCode,
        headers,
        body: answer,
      } = await (pool as Pool).request({
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body,
        headersTimeout: config.requestTimeoutMs,
        bodyTimeout: config.requestTimeoutMs,
        signal: AbortSignal.timeout(config.requestTimeoutMs),
      });
      await answer.dump();
      metrics.collectorRequests.inc({ status: String(statusCode) });
      const retryAfter = headers['retry-after'];
      const verdict = verdictOf(statusCode, Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, clock.now());
      if (verdict.kind !== 'accepted' && failures === 0)
        log.warn({ status: statusCode }, 'the collector does not accept events');
      return verdict;
    } catch (error) {
      metrics.collectorRequests.inc({ status: '0' });
      if (failures === 0)
        log.warn({ url: config.url, reason: messageOf(error) }, 'the collector does not answer; trying again');
      return { kind: 'retry' };
    }
  }

  return {
    start: async () => undefined,
    track,

    async stop(deadlineMs) {
      flush();
      await within(deadlineMs, Promise.all(underWay));
      stopping.abort();
      await within(1_000, Promise.all(underWay));
      await pool?.destroy();
    },
  };
}

function stopped(): SluiceError {
  return new SluiceError('STOPPED', 'the process stops; the event was not accepted');
}
