/** What a record becomes on a Sidekiq queue, text by text. */
import { expect, it } from 'vitest';
import { topicConfig } from '../../src/bridge/config.ts';
import { createDecoder } from '../../src/bridge/decode.ts';
import { createRouter } from '../../src/bridge/route.ts';
import { sidekiqEventIdOf } from '../../src/job/event-id.ts';
import { groupMark, idOfGroup } from '../../src/job/identity.ts';
import type { Job } from '../../src/job/job.ts';
import { jidOf } from '../../src/job/sidekiq-job.ts';
import type { KafkaRecord } from '../../src/kafka/consumer.ts';
import { sidekiqConfig } from '../../src/queue/config.ts';
import { encodeEnvelope } from '../../src/schema/envelope.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { ROOT } from '../support/sluice.ts';

const schemas = loadSchemas([`${ROOT}proto`]);
const TYPE = 'acme.web.v1.PageView';
const payload = schemas.codec(TYPE).encode({ url: 'https://x/1' });
/** As the group `g` makes it. */
const ID = idOfGroup('k~t~0~1~7', groupMark('g'));
const NOW = 1_700_000_100_000;

function made(
  settings: object,
  value: string | Uint8Array,
  about: Partial<KafkaRecord> = {},
  dialect = '7',
): Job | string {
  const topic = topicConfig.parse({ target: 'sidekiq', ...settings });
  const sidekiq = sidekiqConfig.parse({ dialect });
  const record = {
    offset: 7,
    key: null,
    value: Buffer.from(value),
    headers: {},
    timestamp: 1_700_000_000_123,
    ...about,
  };
  const decoded = createDecoder(topic, schemas)(record);
  if ('reason' in decoded) return `${decoded.reason}: ${decoded.error}`;
  const routing = { kafka: { groupId: 'g' }, sidekiq, queues: {}, treatment: () => undefined };
  const routed = createRouter(topic, routing)(decoded.event, NOW, 'k~t~0~1~7');
  return 'reason' in routed ? `${routed.reason}: ${routed.error}` : routed.job;
}

const text = (...call: Parameters<typeof made>) => (made(...call) as Job).data;

it('passes a job on as it is spelled, and adds what Ruby expects of one', () => {
  const job = '{ "class":"Hard", "args":[1.0,9007199254740993,[],{ }],"x":{"y":1.50}, "retry" : 3 }';
  const made = text({ record: 'sidekiq' }, job);
  const { jid } = JSON.parse(made) as { jid: string };
  expect(made).toBe(
    '{"class":"Hard","args":[1.0,9007199254740993,[],{ }],"x":{"y":1.50},"retry":3,' +
      `"jid":"${jid}","queue":"default","created_at":1700000000.123000,"sl":{"from":"${ID}"}}`,
  );
  expect(jid).toMatch(/^[0-9a-f]{24}$/);
});

it('reads over a byte order mark, which is no part of the job', () => {
  expect(text({ record: 'sidekiq' }, '\ufeff{"class":"Hard","args":[]}')).toMatch(/^\{"class":"Hard","args":\[\],/);
});

it('writes a jid plainly, and keeps a time that is as Sidekiq writes it', () => {
  const job = '{"class":"Hard","args":[],"jid":"\\u0061b","created_at":1700000000.5}';
  expect(text({ record: 'sidekiq' }, job)).toMatch(/"jid":"ab","created_at":1700000000\.5,/);
});

it('keeps what the job says of itself, over what would be made up', () => {
  const job = {
    class: 'A',
    args: [],
    jid: 'b'.repeat(24),
    queue: 'low',
    created_at: 1_600_000_000,
    cattr: { user: 1 },
  };
  const made = JSON.parse(
    text({ record: 'sidekiq', settle: 'acknowledged' }, JSON.stringify(job), { key: Buffer.from('k') }),
  );
  expect(made).toEqual({ ...job, retry: true, sl: { source: ID, key: 'k' } });
});

it('drops what is input only, and a field of ours that somebody else wrote', () => {
  const job =
    '{"class":"A","args":[{"sl":{"source":"k~x~0~0~1"}}],"enqueued_at":5,"at":1700000200.5,"sl":{"source":"k~y~0~0~1"}}';
  const { data, delayMs } = made({ record: 'sidekiq' }, job) as Job;
  expect(delayMs).toBe(100_500);
  expect(Object.keys(JSON.parse(data))).toEqual(['class', 'args', 'retry', 'jid', 'queue', 'created_at', 'sl']);
  expect(data).toContain(`"sl":{"from":"${ID}"}}`);
});

it('writes times as Sidekiq 8 does where that is the dialect', () => {
  const job = '{"class":"A","args":[],"created_at":1700000000}';
  expect(text({ record: 'sidekiq' }, job, {}, '8')).toContain('"created_at":1700000000000,');
  expect(text({ record: 'sidekiq' }, job)).toContain('"created_at":1700000000.000000,');
});

it('makes a job of a message, in JSON or in its binary form', () => {
  const of = { record: 'protobuf', message: TYPE, class: 'PageJob', queue: 'pages' };
  expect(JSON.parse(text(of, payload))).toMatchObject({
    class: 'PageJob',
    args: [{ url: 'https://x/1' }],
    queue: 'pages',
  });
  const base64 = Buffer.from(payload).toString('base64');
  for (const [record, value] of [
    ['protobuf', payload],
    ['json', '{"url":"https://x/1"}'],
  ] as const) {
    expect(JSON.parse(text({ ...of, record, arguments: 'base64' }, value)).args).toEqual([base64]);
  }
});

it('takes class, queue, attempts and time from an envelope and its topic', () => {
  const runAt = NOW + 60_000;
  const envelope = encodeEnvelope({
    type: TYPE,
    payload,
    id: 'e-1',
    queue: 'own',
    attempts: 4,
    runAt,
    headers: { a: 'b' },
  });
  const rule = ({ type }: { type: string }) => `${type.split('.').at(-1)}Job`;
  const { data, delayMs } = made({ class: rule }, envelope) as Job;
  expect(delayMs).toBe(60_000);
  expect(JSON.parse(data)).toMatchObject({
    class: 'PageViewJob',
    queue: 'own',
    retry: 3,
    sl: { from: ID, id: 'e-1', headers: { a: 'b' } },
  });
});

it.each([
  ['{"args":[]}', 'invalid: the Sidekiq job has no class'],
  ['{"class":"A","args":{}}', "invalid: the Sidekiq job's args is an object; allowed: a list"],
  ['{"class":"A","args":[],"at":"soon"}', "invalid: the Sidekiq job's at is the string"],
  ['{"class":"A","args":[],"created_at":"now"}', "invalid: the Sidekiq job's created_at is the string"],
  ['[1]', 'invalid: the Sidekiq job is a list'],
  ['nope', 'invalid: the Sidekiq job is not JSON'],
  [Buffer.from([0x7b, 0xff, 0x7d]), 'undecodable: '],
  ['{"class":"A","args":[],"queue":"no blanks"}', "invalid: the Sidekiq job's queue is the string"],
])('refuses %s with the rule that it breaks', (value, why) => {
  expect(made({ record: 'sidekiq' }, value)).toContain(why);
});

it('refuses an event that its rules name no class or queue for', () => {
  const of = { record: 'protobuf', message: TYPE, class: 'A' };
  expect(made({ ...of, class: () => '' }, payload)).toContain('unroutable: no class runs');
  expect(made({ ...of, queue: () => 'no blanks' }, payload)).toContain('unroutable: "no blanks" is no Sidekiq queue');
  const failing = () => {
    throw new Error('no idea');
  };
  expect(made({ ...of, class: failing }, payload)).toBe("unroutable: the topic's class rule failed: no idea");
});

it('gives a record that is replayed the jid that it had, and one of a topic made anew another', () => {
  const of = (id: string, createdAt: number) => jidOf(idOfGroup(id, groupMark('g')), createdAt);
  const jid = of('k~t~0~1~7', 1_000);
  expect(of('k~t~3~1~7', 1_000)).toBe(jid);
  const others = [of('k~t~0~1~7', 1_001), of('k~t~0~1~8', 1_000), jidOf(idOfGroup('k~t~0~1~7', groupMark('h')), 1_000)];
  expect(new Set([jid, ...others]).size).toBe(4);
  const event = (id: string) => sidekiqEventIdOf(idOfGroup(id, groupMark('g')), 1_000);
  expect(event('k~t~3~1~7')).toBe(event('k~t~0~1~7'));
  expect(event('k~t~0~2~7')).not.toBe(event('k~t~0~1~7'));
});

it('keeps the jid of a job that was late, or is replayed as a letter', () => {
  const headers = {
    'sluice.first-topic': 't',
    'sluice.first-partition': '1',
    'sluice.first-offset': '3',
    'sluice.first-timestamp': '1600000000000',
  };
  const again = JSON.parse(text({ record: 'sidekiq' }, '{"class":"A","args":[]}', { headers })) as { jid: string };
  expect(again.jid).toBe(jidOf(idOfGroup('k~t~0~1~3', groupMark('g')), 1_600_000_000_000));
});
