/**
 * The quick way against the long one: whatever a record holds, a job that is taken by the first is the one that the second
 * makes. What is refused, late or written anew has to be left to it.
 */
import { describe, expect, it } from 'vitest';
import { type TopicConfig, topicConfig } from '../../src/bridge/config.ts';
import { createDecoder } from '../../src/bridge/decode.ts';
import { createRouter } from '../../src/bridge/route.ts';
import { createSidekiqPacker } from '../../src/bridge/sidekiq-packer.ts';
import { createRandom } from '../../src/faults/random.ts';
import type { Job } from '../../src/job/job.ts';
import { LATE } from '../../src/job/late.ts';
import { HISTORY, LETTER } from '../../src/job/letter.ts';
import { leftText } from '../../src/job/place-sidekiq.ts';
import { RULED } from '../../src/job/sidekiq-fields.ts';
import { DIALECTS, type Dialect, enqueuedHead } from '../../src/job/sidekiq-job.ts';
import type { KafkaRecord } from '../../src/kafka/consumer.ts';
import { Packing, Rooms } from '../../src/queue/sidekiq/packing.ts';
import { PackedCommand } from '../../src/redis/packed.ts';
import type { Schemas } from '../../src/schema/schemas.ts';

const NOW = 1_763_800_000_123;
const PREFIX = 'k~t~0~1~';

interface Ways {
  readonly topic?: Partial<TopicConfig>;
  readonly dialect?: Dialect;
}

function waysOf({ topic: settings = {}, dialect = '7' }: Ways) {
  const topic = { ...topicConfig.parse({ record: 'sidekiq', target: 'sidekiq' }), ...settings };
  const sidekiq = { redis: 'main', dialect, concurrency: 1 };
  const routing = { kafka: { groupId: 'g' }, sidekiq, queues: {}, treatment: () => undefined };
  const decode = createDecoder(topic, {} as Schemas);
  const route = createRouter(topic, routing);
  const queues: string[] = [];
  const packer = createSidekiqPacker({ topic, routing, rooms: new Rooms(), onQueue: (queue) => queues.push(queue) });
  return {
    queues,
    packer,
    quick(record: KafkaRecord) {
      const packing = packer.begin(PREFIX, NOW);
      return packing.takes(record) ? told(packing.end() as Packing) : undefined;
    },
    long(record: KafkaRecord) {
      const job = jobOf(record);
      return job === undefined
        ? undefined
        : { queue: job.queue, due: '', texts: [leftText(job, enqueuedHead(NOW, dialect))] };
    },
    jobOf,
  };

  function jobOf(record: KafkaRecord): Job | undefined {
    const decoded = decode(record);
    const routed = 'reason' in decoded ? decoded : route(decoded.event, NOW, `${PREFIX}${record.offset}`);
    return 'reason' in routed ? undefined : routed.job;
  }
}

/** The one place that there is, read as Redis reads it. */
function told(packing: Packing) {
  const [queue, due, ranges, count, ...texts] = argumentsIn(packing);
  expect({ ranges, count }).toEqual({
    ranges: `${packing.offsets[0]}-${packing.offsets.at(-1)}`,
    count: String(texts.length),
  });
  expect([...packing.byQueue]).toEqual([[queue, texts.length]]);
  return { queue, due, texts };
}

function argumentsIn(packing: Packing): string[] {
  let rest = new PackedCommand('x', [], packing.arguments).toWritable();
  const line = () => {
    const end = rest.indexOf('\r\n');
    const text = rest.toString('latin1', 0, end);
    rest = rest.subarray(end + 2);
    return text;
  };
  const found: string[] = [];
  for (let count = Number(line().slice(1)); count > 0; count--) {
    const length = Number(line().slice(1));
    found.push(rest.toString('utf8', 0, length));
    expect(rest.toString('latin1', length, length + 2)).toBe('\r\n');
    rest = rest.subarray(length + 2);
  }
  expect(rest).toHaveLength(0);
  return found.slice(1);
}

function recordOf(text: string, more: Partial<KafkaRecord> = {}): KafkaRecord {
  return { offset: 7, key: null, value: Buffer.from(text), timestamp: 1_763_700_000_000, headers: {}, ...more };
}

const WHOLE = '"class":"HardJob","args":[1,"x"],"retry":true,"queue":"low","jid":"a1","created_at":1700000000.5';

describe('the quick way takes', () => {
  it.each([
    ['a job as Ruby writes it', recordOf(`{${WHOLE}}`)],
    ['one with blanks', recordOf(` { ${WHOLE.replaceAll(',', ' , ')} } \n`)],
    ['text that is not ASCII', recordOf(`{${WHOLE},"note":"é…😀"}`)],
    ['fields without rules, and null where it stays', recordOf(`{${WHOLE},"tags":null,"cattr":{"a":[]}}`)],
    ['a key', recordOf(`{${WHOLE}}`, { key: Buffer.from('user 17') })],
    ['an empty key', recordOf(`{${WHOLE}}`, { key: Buffer.alloc(0) })],
    ['headers', recordOf(`{${WHOLE}}`, { headers: { traceparent: '00-é"' }, key: Buffer.from('k') })],
    ['a high offset', recordOf(`{${WHOLE}}`, { offset: 9_007_199_254_740_991 })],
    ['a job whose end is waited for', recordOf(`{${WHOLE}}`), { topic: { settle: 'acknowledged' } as const }],
    ['a queue that the topic names too', recordOf(`{${WHOLE}}`), { topic: { queue: 'low' } }],
    [
      'milliseconds, in their dialect',
      recordOf(`{${WHOLE.replace('1700000000.5', '1700000000500')}}`),
      { dialect: '8' as const },
    ],
  ])('%s', (_, record, ways: Ways = {}) => {
    const { quick, long, queues } = waysOf(ways);
    expect(quick(record)).toEqual(long(record));
    expect(quick(record)).toBeDefined();
    expect(queues[0]).toBe('low');
  });
});

describe('the quick way leaves to the other', () => {
  it.each([
    ['nothing', recordOf(`{${WHOLE}}`, { value: null })],
    ['no JSON', recordOf(`{${WHOLE}`)],
    ['bytes that are no UTF-8', recordOf('', { value: Buffer.from(`{${WHOLE},"a":"\xff"}`, 'latin1') })],
    ['a mark in front', recordOf(`\ufeff{${WHOLE}}`)],
    ['more than a record may have', recordOf(`{${WHOLE},"a":"${'x'.repeat(1_048_577)}"}`)],
    ['a nesting that Ruby does not read', recordOf(`{${WHOLE},"a":${'['.repeat(100)}${']'.repeat(100)}}`)],
    ['half a surrogate pair', recordOf(`{${WHOLE},"a":"\\ud800"}`)],
    ['a member twice', recordOf(`{${WHOLE},"queue":"low"}`)],
    ['a missing jid', recordOf(`{${WHOLE.replace('"jid":"a1",', '')}}`)],
    ['a jid with an escape', recordOf(`{${WHOLE.replace('a1', '\\u0061')}}`)],
    ['an empty jid', recordOf(`{${WHOLE.replace('a1', '')}}`)],
    ['a retry of null', recordOf(`{${WHOLE.replace('true', 'null')}}`)],
    ['a queue with an escape', recordOf(`{${WHOLE.replace('low', 'l\\u006fw')}}`)],
    ['a queue that is none', recordOf(`{${WHOLE.replace('low', 'l w')}}`)],
    ['a class that is none', recordOf(`{${WHOLE.replace('"HardJob"', '5')}}`)],
    ['a class of null', recordOf(`{${WHOLE.replace('"HardJob"', 'null')}}`)],
    ['args that are none', recordOf(`{${WHOLE.replace('[1,"x"]', '{}')}}`)],
    ['a retry that is none', recordOf(`{${WHOLE.replace('true', '-1')}}`)],
    ['the other dialect', recordOf(`{${WHOLE.replace('1700000000.5', '1700000000500')}}`)],
    ['a job that is due later', recordOf(`{${WHOLE},"at":1800000000}`)],
    ['one that was enqueued', recordOf(`{${WHOLE},"enqueued_at":1700000000.5}`)],
    ['one that failed', recordOf(`{${WHOLE},"failed_at":1700000000.5}`)],
    ['our own field', recordOf(`{${WHOLE},"sl":{}}`)],
    ['a key that JSON escapes', recordOf(`{${WHOLE}}`, { key: Buffer.from('"') })],
    ['a key with a sign of control', recordOf(`{${WHOLE}}`, { key: Buffer.from('a\u0000') })],
    ['a key that is not ASCII', recordOf(`{${WHOLE}}`, { key: Buffer.from('é') })],
    ['a long key', recordOf(`{${WHOLE}}`, { key: Buffer.alloc(257, 'k') })],
    ['long headers', recordOf(`{${WHOLE}}`, { headers: { a: 'é'.repeat(600) } })],
    ['another queue than the topic names', recordOf(`{${WHOLE}}`), { topic: { queue: 'high' } }],
    ['a record of another kind', recordOf(`{${WHOLE}}`), { topic: { record: 'json', message: 'x' } as const }],
    [
      'more members than jobs have',
      recordOf(`{${WHOLE}${Array.from({ length: 95 }, (_, i) => `,"m${i}":0`).join('')}}`),
    ],
    ['a queue by a rule', recordOf(`{${WHOLE}}`), { topic: { queue: () => 'low' } }],
  ])('%s', (_, record, ways: Ways = {}) => {
    const { quick } = waysOf(ways);
    expect(quick(recordOf(`{${WHOLE}}`)) !== undefined || ways.topic !== undefined).toBe(true);
    expect(quick(record)).toBeUndefined();
  });
});

it.each([...Object.values(HISTORY), ...Object.values(LETTER), ...Object.values(LATE)])(
  'the quick way leaves to the other a record with %s',
  (name) => {
    expect(waysOf({}).quick(recordOf(`{${WHOLE}}`, { headers: { other: '', [name]: 'e' } }))).toBeUndefined();
  },
);

/** What a field may hold or not, whatever it is: times of both dialects, texts with and without escapes, all kinds. */
const ANY = [
  '1700000000.123456',
  '1700000000123',
  '17',
  '-1',
  '1e9',
  '0',
  '"low"',
  '"a:b"',
  '"É"',
  '"0123456789abcdef0123456789abcdef0123456789abcdef"',
  '"\\n"',
  '""',
  '"l w"',
  'true',
  'false',
  'null',
  '[]',
  '[1,{"a":"\\\\"}]',
  '{}',
  '{"x":[1,2]}',
  '01',
];
const USUAL: Readonly<Record<string, readonly string[]>> = {
  class: ['"HardJob"', '"Easy::Job"'],
  args: ['[]', '[1,{"a":"\\\\"}]'],
  retry: ['true', '5'],
  queue: ['"low"', '"critical"'],
  jid: ['"a1b2"', '"0123456789abcdef01234567"'],
  created_at: ['1700000000.123456', '1700000000123'],
};
const ALWAYS = Object.keys(USUAL);
const SOMETIMES = [...RULED, 'note', 'sl', 'error_class', '__proto__'];

it.each(DIALECTS)(
  'makes the same jobs as the long way of whatever comes, in dialect %s',
  {
    timeout: 60_000,
  },
  (dialect) => {
    const random = createRandom(5);
    const next = (below: number) => Math.floor(random() * below);
    const oneOf = (values: readonly string[]) => values[next(values.length)] as string;
    const someValue = (name: string) => oneOf(next(8) > 0 ? (USUAL[name] ?? ANY) : ANY);
    const ways = waysOf({ dialect, topic: { settle: 'acknowledged' } });
    let [taken, left] = [0, 0];
    for (let i = 0; i < 30_000; i++) {
      const names = ALWAYS.filter(() => next(40) > 0);
      if (next(2) === 0) names.splice(next(names.length), 0, oneOf(SOMETIMES));
      if (next(40) === 0) names.push(names[0] ?? 'note');
      const members = names.map((name) => `"${name}":${someValue(name)}`);
      const key = Buffer.from(`k${i % 3 === 0 ? '' : '\\'}`);
      const record = recordOf(`{${members.join(next(3) === 0 ? ' , ' : ',')}}`, {
        offset: i,
        key: i % 2 === 0 ? key : null,
      });
      const quick = ways.quick(record);
      if (quick === undefined) left += 1;
      else {
        taken += 1;
        const long = ways.long(record);
        if (JSON.stringify(quick) !== JSON.stringify(long)) expect(quick, String(record.value)).toEqual(long);
      }
    }
    expect(taken).toBeGreaterThan(1_000);
    expect(left).toBeGreaterThan(1_000);
  },
);

it('keeps jobs of both ways in the order of their records, each place by itself', () => {
  const { packer, jobOf } = waysOf({});
  const records = [
    recordOf(`{${WHOLE}}`, { offset: 10 }),
    recordOf(`{${WHOLE.replace('true', 'null')}}`, { offset: 11 }),
    recordOf(`{${WHOLE.replace('low', 'high')}}`, { offset: 12 }),
    recordOf(`{${WHOLE}}`, { offset: 13 }),
    recordOf(`{${WHOLE}}`, { offset: 15 }),
    recordOf(`{${WHOLE}}`, { offset: 16 }),
    recordOf(`{${WHOLE},"at":1763800100.5}`, { offset: 17 }),
  ];
  const packing = packer.begin(PREFIX, NOW);
  for (const record of records) if (!packing.takes(record)) packing.add(record.offset, jobOf(record) as Job);
  const packed = packing.end() as Packing;
  const told = argumentsIn(packed);
  const sources = told.filter((text) => text.startsWith('{')).map((text) => JSON.parse(text).sl.from.split('~').at(-1));
  expect(sources).toEqual(['10', '11', '13', '15', '16', '12', '17']);
  expect(told.filter((text) => !text.startsWith('{'))).toEqual([
    'low',
    '',
    '10-11,13-13,15-16',
    '5',
    'high',
    '',
    '12-12',
    '1',
    'low',
    '1763800100.500000',
    '17-17',
    '1',
  ]);
  const texts = told.filter((text) => text.startsWith('{'));
  expect(packed.textBytes).toBeGreaterThan(texts.reduce((sum, text) => sum + text.length, 0));
  expect(packed.count).toBe(texts.length);
  expect(packed.offsets).toEqual([10, 11, 12, 13, 15, 16, 17]);
  expect([...packed.byQueue]).toEqual([
    ['low', 6],
    ['high', 1],
  ]);
});

it('uses a room again once it was answered for, and only once', () => {
  const rooms = new Rooms();
  const [first, second] = [rooms.take(), rooms.take()];
  const packing = new Packing(NOW, '7', { take: () => first, give: (room) => rooms.give(room) } as Rooms);
  packing.add(1, waysOf({}).jobOf(recordOf(`{${WHOLE}}`)) as Job);
  packing.answered();
  packing.answered();
  expect([rooms.take(), rooms.take()].filter((room) => room === first)).toHaveLength(1);
  expect(second).not.toBe(first);
});
