/**
 * Delivers events to the HTTP collector. Events of concurrent jobs share a request; each is done when the collector
 * has accepted its batch, and keeps its id through every try. An event waits no longer than its deadline:
 * COLLECTOR_UNAVAILABLE then, COLLECTOR_REFUSED when it is wanted never, STOPPED when the process ends first. Every
 * event ends in one counted outcome; what is held is bounded, and whoever brings more waits.
 */
import type { Clock } from '../clock.ts';
import type { TrackerFields } from '../definition/worker.ts';
import type { EndSignal } from '../end-signal.ts';
import { SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Places } from '../places.ts';
import { type Service, within } from '../service.ts';
import type { CollectorConfig } from './config.ts';
import { createDelivery } from './delivery.ts';
import { createPending, type EventOutcome, type Pending } from './pending.ts';
import { createPost } from './post.ts';
import { createRoom } from './room.ts';
import { type EncodedEvent, encodeEvent } from './tp2.ts';

const MOST_HELD_EVENTS = 20_000;
const MOST_HELD_BYTES = 64 * 1024 * 1024;

export interface Collector extends Service {
  /**
   * Resolves once the event is accepted. `eventId` is a UUID. When the signal fires, the event is given up and the
   * promise rejects with the signal's reason; an event that is under way then may still arrive.
   */
  track(fields: TrackerFields, eventId: string, signal?: EndSignal): Promise<void>;
}

export interface CollectorDeps {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random?: () => number;
}

export function createCollector(config: CollectorConfig, deps: CollectorDeps): Collector {
  return config.url === undefined ? UNCONFIGURED : createHttpCollector(config, config.url, deps);
}

const UNCONFIGURED: Collector = {
  start: async () => undefined,
  stop: async () => undefined,
  track: async () => {
    throw new SluiceError('COLLECTOR_UNAVAILABLE', 'no collector is configured: set collector.url or COLLECTOR_URL');
  },
};

function createHttpCollector(config: CollectorConfig, url: string, deps: CollectorDeps): Collector {
  const { clock, metrics, random = Math.random } = deps;
  const { appId, namespace, deadlineMs } = config;
  const post = createPost(url, config.connections);
  const delivery = createDelivery(config, post, { ...deps, random });
  const room = createRoom(MOST_HELD_EVENTS, MOST_HELD_BYTES);
  const held = new Places<Pending>();
  let stopping: Promise<void> | undefined;

  function onSettled(pending: Pending, outcome: EventOutcome): void {
    metrics.eventsDelivered.inc({ outcome });
    if (pending.place !== undefined) held.empty(pending.place);
    room.leave(pending.event.bytes);
  }

  function encode(fields: TrackerFields, eventId: string): EncodedEvent {
    try {
      return encodeEvent(fields, { eventId, appId, namespace, now: clock.now() });
    } catch (error) {
      throw counted('refused', error);
    }
  }

  function counted(outcome: EventOutcome, error: unknown): unknown {
    metrics.eventsDelivered.inc({ outcome });
    return error;
  }

  async function stop(graceMs: number): Promise<void> {
    room.close();
    delivery.hurry();
    await within(graceMs, Promise.allSettled(held.values().map(({ done }) => done)));
    delivery.halt();
    for (const pending of held.values()) pending.settle('stopped', stopped());
    await post.close();
  }

  return {
    start: async () => undefined,

    async track(fields, eventId, signal) {
      const event = encode(fields, eventId);
      if (!room.tryEnter(event.bytes) && !(await room.enter(event.bytes))) throw counted('stopped', stopped());
      const pending = createPending({ event, since: clock.now(), deadlineMs, signal, onSettled });
      if (!pending.isSettled) {
        pending.place = held.add(pending);
        delivery.add(pending);
      }
      return pending.done;
    },

    stop(graceMs) {
      stopping ??= stop(graceMs);
      return stopping;
    },
  };
}

function stopped(): SluiceError {
  return new SluiceError('STOPPED', 'the process stops; the event was not accepted');
}
