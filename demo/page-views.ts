/** Page views as a shop sees them: visitors with sessions who come from somewhere and click on. Same seed, same events. */
import { uuidOf } from '../src/faults/load/uuid.ts';
import { createRandom } from '../src/faults/random.ts';

/** A page view as a producer gives it: key and message. */
export interface PageView {
  readonly key: string;
  readonly id: string;
  readonly message: {
    readonly eventId: string;
    readonly userId: string;
    readonly sessionId: string;
    readonly url: string;
    readonly title: string;
    readonly referrer: string;
    readonly userAgent: string;
    readonly address: string;
    readonly occurredAt: string;
    readonly method: string;
    readonly status: number;
    readonly bytes: string;
  };
}

const SITE = 'https://shop.example';
const ORIGINS = ['', 'https://www.google.com/', 'https://news.example/today', 'https://mail.example/inbox'];
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
  'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36',
];
const PRODUCTS = ['kettle', 'teapot', 'whisk', 'tray', 'cup', 'caddy', 'strainer', 'towel'];
const STARTS_AT = Date.parse('2026-01-05T09:00:00Z');
const VISITORS = 400;
const CLICKS_ON = 0.7;

interface Visitor {
  readonly userId: string;
  readonly address: string;
  readonly userAgent: string;
  session: number;
  /** Page that the visitor is on; empty between sessions. */
  at: string;
}

/** Endless. The times belong to the events, so they do not depend on when the demo is run. */
export function* pageViews(seed: number): Generator<PageView> {
  const random = createRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const visitors: Visitor[] = Array.from({ length: VISITORS }, (_, i) => ({
    userId: `user-${i + 1}`,
    address: `198.51.${Math.floor(random() * 100)}.${1 + Math.floor(random() * 250)}`,
    userAgent: pick(AGENTS),
    session: 0,
    at: '',
  }));
  for (let count = 0, time = STARTS_AT; ; count++) {
    const visitor = pick(visitors);
    const isNew = visitor.at === '' || random() > CLICKS_ON;
    if (isNew) visitor.session += 1;
    const referrer = isNew ? pick(ORIGINS) : visitor.at;
    const product = pick(PRODUCTS);
    visitor.at = isNew ? `${SITE}/` : `${SITE}/products/${product}?ref=${count % 97}`;
    time += Math.floor(random() * 5);
    yield viewOf(visitor, {
      seed,
      count,
      time,
      referrer,
      title: isNew ? 'Tea and all for it' : `A ${product}`,
      bytes: 2_000 + Math.floor(random() * 60_000),
    });
  }
}

interface Click {
  readonly seed: number;
  readonly count: number;
  readonly time: number;
  readonly referrer: string;
  readonly title: string;
  readonly bytes: number;
}

function viewOf(
  { userId, address, userAgent, session, at }: Visitor,
  { seed, count, time, referrer, title, bytes }: Click,
): PageView {
  const id = uuidOf(`${seed}/${count}`);
  const message = {
    eventId: id,
    userId,
    sessionId: `${userId}-${session}`,
    url: at,
    title,
    referrer,
    userAgent,
    address,
    occurredAt: new Date(time).toISOString(),
    method: 'GET',
    status: 200,
    bytes: String(bytes),
  };
  return { key: userId, id, message };
}
