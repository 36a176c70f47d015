import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { type Counts, eventsOf, linesOf, produceLines } from '../../src/cli/produce-lines.ts';
import { SluiceError } from '../../src/errors.ts';
import type { OutgoingEvent } from '../../src/producer/producer.ts';

async function* chunked(...chunks: string[]) {
  yield* chunks;
}

const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
beforeEach(() => stderr.mockClear());
afterAll(() => stderr.mockRestore());

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('lines end at line feeds, wherever the chunks were cut', async () => {
  expect(await all(linesOf(chunked('a\r', '\nb', 'c\n\nd\u2028e', '\r')))).toEqual(['a', 'bc', '', 'd\u2028e']);
});

function produced(
  texts: string[],
  { type, refuse }: { type?: string; refuse?: (event: OutgoingEvent) => SluiceError | undefined } = {},
) {
  const counts: Counts = { acked: 0, refused: 0, unknown: 0 };
  const sent: unknown[] = [];
  const producer = {
    async sendMany(events: readonly OutgoingEvent[]) {
      const error = events.map((event) => refuse?.(event)).find((each) => each !== undefined);
      if (error !== undefined) throw error;
      sent.push(...events.map(({ message }) => message));
    },
    send: () => Promise.reject(new Error('not used')),
    close: () => Promise.resolve(),
  };
  const events = eventsOf(linesOf(chunked(texts.join('\n'))), type, { key: 'k' }, counts);
  const done = produceLines(producer.sendMany, events, counts);
  return { done, counts, sent };
}

const invalid = ({ message }: OutgoingEvent) =>
  (message as { bad?: boolean }).bad ? new SluiceError('INVALID_MESSAGE', 'bad: a boolean is not allowed') : undefined;

test('a bad line is named, its neighbours go on', async () => {
  const { done, counts, sent } = produced(['{"n":1}', '{"n":', '', '{"bad":true}', '{"n":5}'], {
    type: 'a.B',
    refuse: invalid,
  });
  await expect(done).resolves.toBeUndefined();
  expect(counts).toEqual({ acked: 2, refused: 2, unknown: 0 });
  expect(sent).toEqual([{ n: 1 }, { n: 5 }]);
  const texts = stderr.mock.calls.map(([text]) => String(text));
  expect(texts[0]).toMatch(/^line 2: no JSON: /);
  expect(texts[1]).toBe('line 4: bad: a boolean is not allowed\n');
});

test('without a type, a line names its own', async () => {
  const { done, counts, sent } = produced([
    '{"type":"a.B","message":{"n":1},"key":"x"}',
    '{"message":{}}',
    '[]',
    '{"type":"a.B"}',
  ]);
  await done;
  expect(counts).toEqual({ acked: 1, refused: 3, unknown: 0 });
  expect(sent).toEqual([{ n: 1 }]);
});

test('a large line is sent alone, and refused alone when the topic does not take it', async () => {
  const unfit = ({ message }: OutgoingEvent) =>
    String(message).length > 100_000 ? new SluiceError('UNFIT', 'too large') : undefined;
  const { done, counts, sent } = produced(['"a"', JSON.stringify('x'.repeat(200_000)), '"b"'], {
    type: 'a.B',
    refuse: unfit,
  });
  await done;
  expect(counts).toEqual({ acked: 2, refused: 1, unknown: 0 });
  expect(sent).toEqual(['a', 'b']);
});

test('when the connection fails, what was under way is unknown and the rest is not sent', async () => {
  let calls = 0;
  const texts = Array.from({ length: 2_500 }, (_, n) => String(n));
  const away = ({ message }: OutgoingEvent) => {
    calls += 1;
    return Number(message) >= 1_000 ? new SluiceError('UNREACHABLE', 'Kafka is away') : undefined;
  };
  const { done, counts } = produced(texts, { type: 'a.B', refuse: away });
  await expect(done).rejects.toThrow('lines 1001 to 2000 may or may not have arrived; nothing after that was sent');
  expect(counts).toEqual({ acked: 1_000, refused: 0, unknown: 1_000 });
  expect(calls).toBe(2_000);
});

test('without a connection there is no doubt: nothing was sent', async () => {
  const refuse = () => new SluiceError('UNREACHABLE', 'Kafka is away', { isUnsent: true });
  const { done, counts } = produced(['1', '2'], { type: 'a.B', refuse });
  await expect(done).rejects.toThrow('Kafka is away\nnothing was sent');
  expect(counts).toEqual({ acked: 0, refused: 0, unknown: 0 });
});
