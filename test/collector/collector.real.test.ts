/** The collector client against a server that misbehaves in every way that is known of. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { itemsOf } from '../../demo/receiver.ts';
import { systemClock } from '../../src/clock.ts';
import { type Collector, createCollector } from '../../src/collector/collector.ts';
import { collectorConfig } from '../../src/collector/config.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const ok: Answer = (response) => response.writeHead(200).end('ok');
const status =
  (code: number, headers = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end();

let server: Server;
let port: number;
/** What the server answers to the next requests; `ok` when it is empty. */
let script: Answer[];
/** Event ids of each request, whatever was answered. */
let requests: string[][];
let collector: Collector;

beforeEach(async () => {
  script = [];
  requests = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    requests.push(itemsOf(request, Buffer.concat(chunks).toString()).map(({ eid }) => eid as string));
    (script.shift() ?? ok)(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
});

afterEach(async () => {
  await collector.stop(100);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function open(change: object = {}): Collector {
  const config = collectorConfig.parse({ url: `http://127.0.0.1:${port}`, ...change });
  collector = createCollector(config, { log: silentLog, metrics: createMetrics(), clock: systemClock });
  return collector;
}

const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const view = { e: 'pv', url: 'https://x.example/' };

describe('delivery', () => {
  it('shares a request among the events of one moment, and is done only when it was accepted', async () => {
    const answered = Promise.withResolvers<ServerResponse>();
    script = [(response) => answered.resolve(response)];
    open();
    let done = 0;
    const tracked = Promise.all([1, 2, 3].map((n) => collector.track(view, id(n)).then(() => (done += 1))));
    const response = await answered.promise;
    expect(done).toBe(0);
    ok(response, {} as IncomingMessage);
    await tracked;
    expect(requests).toEqual([[id(1), id(2), id(3)]]);
  });

  it('keeps to the limits of events and bytes', async () => {
    open({ batchEvents: 2 });
    await Promise.all([1, 2, 3, 4, 5].map((n) => collector.track(view, id(n))));
    expect(requests.map((each) => each.length)).toEqual([2, 2, 1]);
    await collector.stop(100);
    requests = [];
    open({ batchBytes: 1_000 });
    await Promise.all([1, 2, 3, 4].map((n) => collector.track({ ...view, page: 'x'.repeat(300) }, id(n))));
    expect(requests.length).toBeGreaterThan(1);
    expect(requests.flat().sort()).toEqual([1, 2, 3, 4].map(id));
  });

  it.each([
    ['503', [status(503), status(503)]],
    ['429 with Retry-After', [status(429, { 'retry-after': '0' })]],
    ['404', [status(404)]],
    ['a reset before the answer', [(response: ServerResponse) => response.destroy()]],
    ['no answer', [() => undefined]],
  ])('tries again after %s, with the same ids', async (_name, answers) => {
    script = [...answers];
    open({ requestTimeoutMs: 300 });
    await Promise.all([collector.track(view, id(1)), collector.track(view, id(2))]);
    expect(requests.length).toBe(answers.length + 1);
    expect(new Set(requests.map((each) => each.join())).size).toBe(1);
  });

  it('takes the status for the answer, also when the connection breaks behind it', async () => {
    script = [
      (response) => void response.writeHead(200, { 'content-length': '9' }).write('o', () => response.destroy()),
    ];
    open();
    await collector.track(view, id(1));
    expect(requests.length).toBe(1);
  });

  it('waits as long as Retry-After says', async () => {
    script = [status(429, { 'retry-after': '1' })];
    open();
    const since = Date.now();
    await collector.track(view, id(1));
    expect(Date.now() - since).toBeGreaterThanOrEqual(990);
  });

  it.each([400, 401, 403, 410, 422])('never tries again after %i', async (code) => {
    script = [status(code)];
    open();
    await expect(collector.track(view, id(1))).rejects.toMatchObject({ code: 'COLLECTOR_REFUSED' });
    expect(requests.length).toBe(1);
  });

  it('halves a batch that is too large, and refuses the event that is', async () => {
    const big = id(3);
    server.removeAllListeners('request');
    server.on('request', async (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const ids = itemsOf(request, Buffer.concat(chunks).toString()).map(({ eid }) => eid);
      (ids.includes(big) ? status(413) : ok)(response, request);
    });
    open();
    const results = await Promise.allSettled([1, 2, 3, 4].map((n) => collector.track(view, id(n))));
    expect(results.map((each) => each.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });

  it('gives up at the deadline, and says so', async () => {
    script = Array.from({ length: 100 }, () => status(503));
    open({ deadlineMs: 500 });
    await expect(collector.track(view, id(1))).rejects.toMatchObject({
      code: 'COLLECTOR_UNAVAILABLE',
      retryable: true,
    });
  });

  it('does not let a slow batch hold up the others', async () => {
    const slow = Promise.withResolvers<ServerResponse>();
    script = [(response) => slow.resolve(response)];
    open({ batchAgeMs: 1 });
    const first = collector.track(view, id(1));
    const held = await slow.promise;
    await collector.track(view, id(2));
    ok(held, {} as IncomingMessage);
    await first;
  });

  it('delivers what it holds when it is stopped, and rejects what comes later', async () => {
    open({ batchAgeMs: 5_000 });
    const slow = Promise.withResolvers<ServerResponse>();
    script = [(response) => slow.resolve(response)];
    const first = collector.track(view, id(1));
    const held = await slow.promise;
    const second = collector.track(view, id(2));
    const stopping = collector.stop(5_000);
    ok(held, {} as IncomingMessage);
    await Promise.all([first, second, stopping]);
    await expect(collector.track(view, id(3))).rejects.toMatchObject({ code: 'STOPPED' });
  });

  it('refuses fields that the protocol does not know, naming them', async () => {
    open();
    await expect(collector.track({ e: 'pv', urll: 'x' }, id(1))).rejects.toThrow(/urll: .* did you mean "url"/);
    await expect(collector.track({ url: 'x' }, id(1))).rejects.toThrow(/^event: e: undefined is not allowed/);
    await expect(collector.track({ e: 'pv', url: 5 as unknown as string }, id(1))).rejects.toThrow(
      /url: a number is not allowed/,
    );
    expect(requests).toEqual([]);
  });

  it('says that none is configured', async () => {
    open({ url: undefined });
    await expect(collector.track(view, id(1))).rejects.toThrow(/set collector\.url or COLLECTOR_URL/);
  });
});
