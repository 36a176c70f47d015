import { expect, it } from 'vitest';
import { readJob } from '../../../src/queue/sidekiq/job.ts';

const read = (text: string) => readJob(Buffer.from(text));

it.each([
  '',
  'nonsense',
  '[1]',
  '"text"',
  'null',
  '1',
  '{"class":"A"',
  `{"args":${'['.repeat(100)}${']'.repeat(100)}}`,
])('cannot be read: %s', (text) => {
  expect(read(text)).toBeUndefined();
});

it('cannot be read: bytes that are no text', () => {
  expect(readJob(Buffer.concat([Buffer.from('{"class":"'), Buffer.from([0xff]), Buffer.from('"}')]))).toBeUndefined();
});

it('hands over integers that no double holds as bigint, and every other number as it is', () => {
  const args =
    '[9007199254740993,-12345678901234567890,9007199254740991,1.0,1e3,0.1234567890123456789,{"a":[18446744073709551615]}]';
  expect(read(`{"class":"A","args":${args}}`)?.args).toEqual([
    9007199254740993n,
    -12345678901234567890n,
    9007199254740991,
    1,
    1000,
    0.12345678901234568,
    { a: [18446744073709551615n] },
  ]);
});

it.each(['ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper', 'Sidekiq::ActiveJob::Wrapper'])(
  'sees through %s',
  (name) => {
    const job = read(`{"class":"${name}","wrapped":"MailJob","args":[{"job_class":"MailJob","arguments":[1,"a"]}]}`);
    expect(job).toMatchObject({ class: 'MailJob', args: [1, 'a'] });
  },
);

it('is what it is where it lacks something', () => {
  expect(read('{}')).toMatchObject({ class: undefined, args: undefined, jid: '', retryCount: undefined });
  expect(read('{"class":5,"args":{},"retry_count":"x"}')).toMatchObject({ class: undefined, args: undefined });
  expect(read('{"class":"::A::B","args":[]}')?.class).toBe('A::B');
});

it('tells the record that it came from, and whether its bridge waits', () => {
  const job = (sl: string) => read(`{"class":"A","args":[],"sl":${sl}}`);
  expect(job('{"source":"k~t~0~1~2","key":"a"}')).toMatchObject({
    source: 'k~t~0~1~2',
    origin: 'k~t~0~1~2',
    about: { key: 'a' },
  });
  expect(job('{"from":"k~t~0~1~2"}')).toMatchObject({ source: undefined, origin: 'k~t~0~1~2' });
  expect(job('{"source":"other"}')).toMatchObject({ source: undefined, origin: undefined });
  expect(job('7')).toMatchObject({ source: undefined, about: undefined });
});
