/** What the records of a measurement hold: page views of the wanted size, as protobuf envelopes and as Sidekiq jobs. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { encodeEnvelope } from '../src/schema/envelope.ts';
import { loadSchemas } from '../src/schema/load.ts';

export const VIEW = 'acme.web.v1.PageView';
/** Of the job's data, as JSON. */
export const PAYLOAD_BYTES = 250;

/** Of the data without its title. */
const REST_BYTES = 85;

const codec = loadSchemas([fileURLToPath(new URL('../proto', import.meta.url))]).codec(VIEW);

/** A `sluice.v1.Job` with a page view of `bytes` as JSON; `occurredAt` in milliseconds since the epoch. */
export function envelope(bytes = PAYLOAD_BYTES, occurredAt?: number, queue?: string): Buffer {
  const time = occurredAt === undefined ? {} : { occurredAt: new Date(occurredAt).toISOString() };
  return Buffer.from(encodeEnvelope({ type: VIEW, payload: codec.encode({ ...pageView(bytes), ...time }), queue }));
}

export function pageViewJson(bytes = PAYLOAD_BYTES): string {
  return JSON.stringify(pageView(bytes));
}

/** As Ruby's client writes it; `n` makes the jid. */
export function sidekiqJob(n: number, bytes = PAYLOAD_BYTES): Buffer {
  const jid = createHash('sha256').update(String(n)).digest('hex').slice(0, 24);
  const { url, userId, title, status } = pageView(bytes);
  const args = [userId, status, { url, title, ratio: 0.5 }];
  const at = 1_700_000_000.123456;
  return Buffer.from(JSON.stringify({ retry: true, queue: 'filled', class: 'View', args, jid, created_at: at }));
}

function pageView(bytes: number) {
  return {
    url: 'https://shop.example/products/kettle',
    userId: 'user-17',
    title: 'x'.repeat(Math.max(0, bytes - REST_BYTES)),
    status: 200,
  };
}
