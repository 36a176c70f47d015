/** What is a Sidekiq job: text that Ruby can read, and write again, with fields that Sidekiq can work with. */
import { expect, it } from 'vitest';
import { parseSidekiqJob } from '../../src/job/sidekiq-job.ts';

function job(fields: string): string {
  return `{"class":"HardJob","args":[],${fields}}`;
}

it.each([
  '{"class":"HardJob","args":[]}',
  ' {"args" : [ 1.0, "]}\\"" ] ,\n"class":"HardJob"}\r\n',
  job('"jid":null,"queue":null,"retry":null,"at":null,"tags":null'),
  job('"retry":0,"at":1700000000.5,"created_at":1700000000000,"tags":[1]'),
  job('"retry_count":2,"failed_at":1700000000000,"backtrace":5,"log_level":"debug"'),
  // Hexadecimal digits that read as a number are none.
  job('"jid":"77616974696e672020202020","text":["1e400"]'),
  job('"text":"\\ud83d\\ude00"'),
  job('"jid":"77616974696e672020202020","text":["1e999","-2E+500"]'),
  job('"text":"\\\\ud800"'),
  job(`"integer":${'1'.repeat(400)},"float":1.5e+100,"text":"Infinity 1e400"`),
  job(`"deep":${'['.repeat(99)}${']'.repeat(99)}`),
])('text %# is one', (text) => {
  expect(parseSidekiqJob(Buffer.from(text)).class).toBe('HardJob');
});

it.each([
  ['', 'is not JSON'],
  ['{"class":"HardJob","args":[]', 'is not JSON'],
  ['\ufeff{"class":"HardJob","args":[]}', 'is not JSON'],
  ['[]', 'is a list; allowed: an object with "class" and "args"'],
  ['null', 'is null'],
  ['{"args":[]}', 'has no class'],
  ['{"class":"HardJob"}', 'has no args'],
  ['{"class":"HardJob","args":{}}', 'args is an object; allowed: a list'],
  [job('"class":""'), `class is the string ""`],
  [job('"queue":"a b"'), 'queue is the string "a b"'],
  [job('"at":"soon"'), 'at is the string "soon"'],
  [job('"at":1700000000000'), 'at is the number 1700000000000'],
  [job('"at":1e400'), 'at is the number'],
  [job('"created_at":-1'), 'created_at is the number -1'],
  [job('"created_at":1e300'), 'created_at is the number 1e+300'],
  [job('"failed_at":100000000000000'), 'failed_at is the number'],
  // In each of these, Ruby 6.4 loses the job without a word.
  [job('"retry_count":"1"'), 'retry_count is the string "1"; allowed: a whole number from 0 on'],
  [job('"retry_count":[]'), 'retry_count is a list'],
  [job('"backtrace":{}'), 'backtrace is an object; allowed: true, false, or a number of lines'],
  [job('"log_level":true'), 'log_level is the boolean true; allowed: debug, info, warn, error, fatal'],
  [job('"log_level":"loud"'), 'log_level is the string "loud"'],
  [job('"retry":1.5'), 'retry is the number 1.5'],
  [job(`"deep":${'['.repeat(100)}${']'.repeat(100)}`), 'is nested 101 deep; Ruby reads 100 at most'],
  [job(`"deep":${'['.repeat(100_000)}${']'.repeat(100_000)}`), 'is nested 100001 deep'],
  [job('"text":"\\uD800"'), 'holds half a surrogate pair'],
  [job('"text":["\\ude00\\ud83d"]'), 'holds half a surrogate pair'],
  [job('"float":[-1E999]'), 'holds a number beyond the range of a Float'],
  [job(`"float":${'1'.repeat(400)}.0`), 'holds a number beyond the range of a Float'],
  [job(`"float":${'1'.repeat(300)}e10`), 'holds a number beyond the range of a Float'],
  [job(`"float":${'1'.repeat(211)}.5E+99`), 'holds a number beyond the range of a Float'],
  [job('"\\udfff":1'), 'holds half a surrogate pair'],
])('text %# is none', (text, words) => {
  expect(() => parseSidekiqJob(Buffer.from(text))).toThrow(words);
  expect(() => parseSidekiqJob(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }));
});
