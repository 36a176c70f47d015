/**
 * Sends what waits: a request for each connection at once, whole batches again with the same event ids, halves of a
 * batch that is refused for one of its events. A batch that fails by itself waits by itself; a collector that fails
 * is left alone by all. Settles every event that it is given, unless its deadline does so first.
 */
import { backoffDelay } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Batch, createBatches } from './batches.ts';
import type { CollectorConfig } from './config.ts';
import { createPace } from './pace.ts';
import type { Pending } from './pending.ts';
import type { Post } from './post.ts';
import { batchBody } from './tp2.ts';
import { type Verdict, verdictOf } from './verdict.ts';

const BACKOFF = { baseMs: 200, maxMs: 10_000 };
const LOG_AGAIN_MS = 10_000;

export interface Delivery {
  add(event: Pending): void;
  /** From now on nothing waits for companions. */
  hurry(): void;
  /** Sends nothing more. */
  halt(): void;
}

export interface DeliveryDeps {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: () => number;
}

export function createDelivery(config: CollectorConfig, post: Post, deps: DeliveryDeps): Delivery {
  const { log, metrics, clock, random } = deps;
  const pace = createPace(config.connections, BACKOFF, random);
  const batches = createBatches(config);
  let underWay = 0;
  let isHurrying = false;
  let isHalted = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let isSilentUntil = 0;

  /** With nothing under way there is nobody to wait for: the companions are those of this turn. */
  const isHurried = () => isHurrying || underWay === 0;

  function pump(): void {
    while (!isHalted && underWay < pace.allowed(clock.now())) {
      const batch = batches.take(clock.now(), isHurried());
      if (batch === undefined) break;
      underWay += 1;
      void deliver(batch).finally(() => {
        underWay -= 1;
        pump();
      });
    }
    wakeForNext();
  }

  /** A request that ends pumps by itself; only time needs a timer. */
  function wakeForNext(): void {
    const nextAt = batches.nextAt(isHurried());
    if (nextAt === undefined || isHalted) return;
    const at = Math.max(nextAt, pace.restsUntil);
    if (underWay >= pace.allowed(at)) return;
    if (timer !== undefined && timerAt <= at) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(onTimer, Math.max(0, at - clock.now()));
  }

  function onTimer(): void {
    timer = undefined;
    timerAt = Number.POSITIVE_INFINITY;
    pump();
  }

  async function deliver(batch: Batch): Promise<void> {
    const { epoch, isUp: wasUp } = pace;
    const verdict = await send(batch.events);
    if (isHalted) return;
    if (verdict.kind === 'retry') {
      pace.failed(epoch, clock.now(), verdict.afterMs);
      if (wasUp) complain({ reason: verdict.reason }, 'the collector does not accept events; trying again');
    } else {
      pace.succeeded(epoch);
      if (!wasUp && pace.isUp) log.info({ url: shownUrl(config) }, 'the collector answers again');
    }
    conclude(batch, verdict, wasUp);
  }

  async function send(events: readonly Pending[]): Promise<Verdict> {
    const now = clock.now();
    const body = batchBody(
      events.map(({ event }) => event),
      now,
    );
    try {
      const answer = await post.send(body, config.requestTimeoutMs);
      metrics.collectorRequests.inc({ status: String(answer.status) });
      return verdictOf(answer, clock.now());
    } catch (error) {
      metrics.collectorRequests.inc({ status: '0' });
      return { kind: 'retry', reason: messageOf(error) };
    }
  }

  function conclude(batch: Batch, verdict: Verdict, wasUp: boolean): void {
    if (verdict.kind === 'accepted') for (const event of batch.events) event.settle('accepted');
    else if (verdict.kind === 'retry') retry(batch, verdict, wasUp);
    else if (verdict.isByEvent && batch.events.length > 1) halve(batch);
    else refuse(batch, verdict.reason);
  }

  /** A batch's failure counts as its own only if the collector was thought to be well. */
  function retry({ events, failures }: Batch, { reason, afterMs }: Verdict & { kind: 'retry' }, wasUp: boolean): void {
    for (const event of events) event.lastReason = reason;
    const own = failures + (wasUp ? 1 : 0);
    const waitMs = Math.max(afterMs ?? 0, backoffDelay(BACKOFF, Math.max(1, own), random));
    batches.again({ events, failures: own, dueAt: clock.now() + waitMs });
  }

  function halve({ events, failures }: Batch): void {
    const half = Math.ceil(events.length / 2);
    batches.again({ events: events.slice(0, half), failures, dueAt: 0 });
    batches.again({ events: events.slice(half), failures, dueAt: 0 });
  }

  function refuse({ events }: Batch, reason: string): void {
    complain({ events: events.length, reason }, 'the collector refuses events for good');
    const error = () => new SluiceError('COLLECTOR_REFUSED', `the collector refuses the event for good: it ${reason}`);
    for (const event of events) event.settle('refused', error());
  }

  function complain(fields: object, text: string): void {
    if (clock.now() < isSilentUntil) return;
    isSilentUntil = clock.now() + LOG_AGAIN_MS;
    log.warn({ url: shownUrl(config), ...fields }, text);
  }

  return {
    add(event) {
      batches.add(event);
      wakeForNext();
    },
    hurry() {
      isHurrying = true;
      pump();
    },
    halt() {
      isHalted = true;
      clearTimeout(timer);
    },
  };
}

/** Without a password. */
function shownUrl({ url = '' }: CollectorConfig): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
