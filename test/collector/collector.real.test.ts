/** The collector client against a server that misbehaves in every way that is known of. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type Collector, createCollector } from '../../src/collector/collector.ts';
import { collectorConfig } from '../../src/collector/config.ts';
import { itemsOf } from '../../src/faults/receiver.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { Places } from '../../src/places.ts';

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
let bodies: string[];
let collector: Collector;
let metrics: ReturnType<typeof createMetrics>;

beforeEach(async () => {
  script = [];
  requests = [];
  bodies = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    bodies.push(body);
    requests.push(itemsOf(request, body).map(({ eid }) => eid as string));
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

function open(change: object = {}, random = Math.random): Collector {
  const config = collectorConfig.parse({ url: `http://127.0.0.1:${port}`, ...change });
  metrics = createMetrics();
  collector = createCollector(config, { log: silentLog, metrics, clock: systemClock, random });
  return collector;
}

const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const track = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => collector.track(view, id(from + i)));
const outcomes = async (tracked: Promise<void>[]) =>
  (await Promise.allSettled(tracked)).map((each) => (each.status === 'rejected' ? each.reason.code : 'accepted'));

async function counted(): Promise<Record<string, number>> {
  const { values } = await metrics.eventsDelivered.get();
  return Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]));
}

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

  it('holds nothing of what was accepted', async () => {
    const empty = vi.spyOn(Places.prototype, 'empty');
    open();
    await Promise.all(track(1, 3));
    expect(empty.mock.calls.map(([place]) => place)).toEqual([0, 1, 2]);
    empty.mockRestore();
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
    await vi.waitFor(() => expect(requests.length).toBe(2));
    ok(held, {} as IncomingMessage);
    await Promise.all([first, second, stopping]);
    await expect(collector.track(view, id(3))).rejects.toMatchObject({ code: 'STOPPED' });
    expect(await counted()).toEqual({ accepted: 2, stopped: 1 });
  });

  it('refuses fields that the protocol does not know, naming them', async () => {
    open();
    await expect(collector.track({ e: 'pv', urll: 'x' }, id(1))).rejects.toThrow(/urll: .* did you mean "url"/);
    await expect(collector.track({ url: 'x' }, id(1))).rejects.toThrow(/^event: e: undefined is not allowed/);
    await expect(collector.track({ e: 'pv', url: 5 as unknown as string }, id(1))).rejects.toThrow(
      /url: a number is not allowed/,
    );
    expect(requests).toEqual([]);
    expect(await counted()).toEqual({ refused: 3 });
  });

  it('says that none is configured', async () => {
    open({ url: undefined });
    await expect(collector.track(view, id(1))).rejects.toThrow(/set collector\.url or COLLECTOR_URL/);
  });
});

describe('a collector in trouble', () => {
  it('finds the event to blame, and accepts its neighbours', async () => {
    const bad = new Set([id(3), id(6)]);
    const judge: Answer = (response) =>
      (requests.at(-1) as string[]).some((each) => bad.has(each))
        ? response.writeHead(422).end('no')
        : ok(response, {} as IncomingMessage);
    script = Array.from({ length: 100 }, () => judge);
    open();
    const ends = await outcomes(track(1, 8));
    expect(ends.map((end) => end === 'accepted')).toEqual([true, true, false, true, true, false, true, true]);
    expect(await counted()).toEqual({ accepted: 6, refused: 2 });
  });

  it('says what the collector said', async () => {
    script = [(response) => response.writeHead(422).end('field  xyz\nis odd')];
    open();
    await expect(collector.track(view, id(1))).rejects.toThrow(/answered 422: field xyz is odd/);
  });

  it('keeps the deadline when it is asked to wait for an hour', async () => {
    script = [status(429, { 'retry-after': '3600' })];
    open({ deadlineMs: 400 });
    const since = Date.now();
    await expect(collector.track(view, id(1))).rejects.toThrow(/within 400 ms; last: answered 429/);
    expect(Date.now() - since).toBeLessThan(1_500);
    expect(requests.length).toBe(1);
  });

  it('keeps the deadline while a request hangs', async () => {
    const slow = Promise.withResolvers<ServerResponse>();
    script = [(response) => slow.resolve(response)];
    open({ deadlineMs: 300, requestTimeoutMs: 20_000 });
    await expect(collector.track(view, id(1))).rejects.toMatchObject({ code: 'COLLECTOR_UNAVAILABLE' });
    ok(await slow.promise, {} as IncomingMessage);
    await collector.track(view, id(2));
    expect(await counted()).toEqual({ unavailable: 1, accepted: 1 });
  });

  it('goes on by itself when nobody listened at first', async () => {
    await new Promise((resolve) => server.close(resolve));
    open();
    const tracked = track(1, 3);
    await vi.waitFor(async () => expect((await metrics.collectorRequests.get()).values[0]?.value).toBeGreaterThan(1));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await outcomes(tracked)).toEqual(['accepted', 'accepted', 'accepted']);
  });

  it('asks a collector that is down with one request at a time', async () => {
    script = Array.from({ length: 1_000 }, () => status(503));
    open({ batchEvents: 1, connections: 8, deadlineMs: 1_500 });
    const ends = await outcomes(track(1, 200));
    expect(new Set(ends)).toEqual(new Set(['COLLECTOR_UNAVAILABLE']));
    expect(requests.length).toBeLessThan(40);
  });

  it('uses every connection again once it is back', async () => {
    const held: ServerResponse[] = [];
    script = [status(503), ok, (response) => held.push(response), (response) => held.push(response)];
    open({ batchEvents: 1 });
    await collector.track(view, id(1));
    const rest = track(2, 3);
    await vi.waitFor(() => expect(held.length).toBe(2));
    for (const response of held) ok(response, {} as IncomingMessage);
    expect(await outcomes(rest)).toEqual(['accepted', 'accepted']);
  });

  it('does not let a batch that always fails hold up the others', async () => {
    const judge: Answer = (response) =>
      response.writeHead((requests.at(-1) as string[]).includes(id(1)) ? 500 : 200).end();
    script = Array.from({ length: 10_000 }, () => judge);
    open({ batchEvents: 1, deadlineMs: 3_000 }, () => 0.5);
    const poison = collector.track(view, id(1));
    poison.catch(() => undefined);
    for (let n = 2; n < 60; n++) await collector.track(view, id(n));
    await expect(poison).rejects.toThrow(/last: answered 500/);
    expect(requests.filter(([each]) => each === id(1)).length).toBeLessThan(10);
  });

  it('does not count the time before its turn against a request', async () => {
    script = Array.from(
      { length: 100 },
      (): Answer => (response) => void setTimeout(() => ok(response, {} as IncomingMessage), 60),
    );
    open({ batchEvents: 1, connections: 1, requestTimeoutMs: 250 });
    expect(await outcomes(track(1, 12))).toEqual(Array.from({ length: 12 }, () => 'accepted'));
    expect(requests.length).toBe(12);
  });

  it('stamps every sending anew, and nothing else', async () => {
    script = [status(429, { 'retry-after': '1' })];
    open();
    await collector.track(view, id(1));
    const [first, second] = bodies.map((body) => JSON.parse(body).data[0]);
    expect(Number(second.stm) - Number(first.stm)).toBeGreaterThanOrEqual(990);
    expect({ ...second, stm: first.stm }).toEqual(first);
  });
});

describe('giving up', () => {
  it('drops the events of an attempt that has ended', async () => {
    const slow = Promise.withResolvers<ServerResponse>();
    script = [(response) => slow.resolve(response)];
    open({ batchAgeMs: 10_000, connections: 1 });
    const first = collector.track(view, id(1));
    const held = await slow.promise;
    const attempt = new AbortController();
    const second = collector.track(view, id(2), attempt.signal);
    const third = collector.track(view, id(3));
    attempt.abort(new Error('lock lost'));
    await expect(second).rejects.toThrow('lock lost');
    await expect(collector.track(view, id(4), attempt.signal)).rejects.toThrow('lock lost');
    ok(held, {} as IncomingMessage);
    await Promise.all([first, third]);
    expect(requests).toEqual([[id(1)], [id(3)]]);
    expect(await counted()).toEqual({ accepted: 2, abandoned: 2 });
  });

  it('stops in time when the collector is down, and says of every event that it was not accepted', async () => {
    script = [status(503, { 'retry-after': '60' }), () => undefined];
    open({ batchEvents: 2 });
    const ends = outcomes(track(1, 5));
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(0));
    const since = Date.now();
    await Promise.all([collector.stop(200), collector.stop(200)]);
    expect(Date.now() - since).toBeLessThan(1_500);
    expect(new Set(await ends)).toContain('STOPPED');
    expect(Object.values(await counted()).reduce((a, b) => a + b)).toBe(5);
  });
});

describe('the address', () => {
  const seen = async (url: string) => {
    const request = Promise.withResolvers<IncomingMessage>();
    server.removeAllListeners('request');
    server.on('request', (incoming: IncomingMessage, response: ServerResponse) => {
      request.resolve(incoming);
      incoming.resume().on('end', () => ok(response, incoming));
    });
    open({ url });
    await collector.track(view, id(1));
    return request.promise;
  };

  it.each(['', '/', '/collect', '/collect/', '/collect/com.snowplowanalytics.snowplow/tp2'])(
    'may be HOST%s',
    async (path) => {
      const { url } = await seen(`http://127.0.0.1:${port}${path}`);
      expect(url).toBe(`${path.startsWith('/collect') ? '/collect' : ''}/com.snowplowanalytics.snowplow/tp2`);
    },
  );

  it('may name a user and a password', async () => {
    const { headers } = await seen(`http://ada:p%40ss@127.0.0.1:${port}`);
    expect(headers.authorization).toBe(`Basic ${Buffer.from('ada:p@ss').toString('base64')}`);
  });
});
