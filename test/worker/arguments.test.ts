import { expect, it } from 'vitest';
import { parseExactly } from '../../src/job/json-values.ts';
import { messageFrom } from '../../src/worker/arguments.ts';
import { schemas } from '../schema/protos.ts';

const all = schemas.codec('t.All');
const inner = schemas.codec('t.Inner');
const args = (text: string) => parseExactly(text) as unknown[];
const base64 = (message: object) => Buffer.from(inner.encode(message)).toString('base64');

it('one object is the message as proto3 JSON, large numbers included', () => {
  expect(messageFrom(args('[{"text":"a","big":9007199254740993}]'), inner, undefined)).toEqual({
    text: 'a',
    big: 9007199254740993n,
  });
  expect(messageFrom(args('[{"text":"a","big":"5"}]'), inner, 'json')).toEqual({ text: 'a', big: 5n });
});

it('one base64 text is the message in its binary form', () => {
  const text = base64({ text: 'hello', big: 7n, child: { text: 'x' } });
  const message = { text: 'hello', big: 7n, child: { text: 'x', big: 0n } };
  expect(messageFrom([text], inner, undefined)).toEqual(message);
  expect(messageFrom([text], inner, 'base64')).toEqual(message);
  expect(messageFrom([''], inner, 'base64')).toEqual({ text: '', big: 0n });
});

it('everything else is the fields in the order of their numbers', () => {
  expect(messageFrom(args('["a", 5, {"text":"b"}]'), inner, undefined)).toEqual({
    text: 'a',
    big: 5n,
    child: { text: 'b', big: 0n },
  });
  expect(messageFrom(args('["a"]'), inner, undefined)).toEqual({ text: 'a', big: 0n });
  expect(messageFrom(args('[null, 5]'), inner, undefined)).toEqual({ text: '', big: 5n });
  expect(messageFrom([], inner, undefined)).toEqual({ text: '', big: 0n });
  expect(messageFrom(args('[1.5, 2.5, 3]'), all, undefined)).toMatchObject({ d: 1.5, f: 2.5, i32: 3 });
});

it.each(['user', 'abcd', 'CAFE', 'Chad', 'deadbeef', 'aaaaaaaaaaaaaaaa'])('%s is a word, not a message', (text) => {
  expect(messageFrom([text], inner, undefined)).toEqual({ text, big: 0n });
});

it('takes a text that reads as a message for its first field only where the worker says so', () => {
  const text = base64({ text: 'hello' });
  expect(messageFrom([text], inner, 'fields')).toEqual({ text, big: 0n });
});

it('passes over the marks of ActiveJob', () => {
  const hash = '[{"text":"a","child":{"text":"b","_aj_symbol_keys":["text"]},"_aj_ruby2_keywords":["text"]}]';
  expect(messageFrom(args(hash), inner, undefined)).toEqual({ text: 'a', big: 0n, child: { text: 'b', big: 0n } });
});

it.each([
  ['["a", 1, {}, 4]', undefined, '4 arguments for t.Inner; allowed: up to 3: text, big, child'],
  ['[{"txt":"a"}]', undefined, 'txt: t.Inner has no such field; did you mean "text"'],
  ['[5]', undefined, 'text: the number 5 is not allowed; allowed: a string'],
  ['[{}, {}]', 'json', '2 arguments; allowed: one, an object'],
  ['[]', 'base64', '0 arguments; allowed: one, a base64 text'],
  ['["***"]', 'base64', 'the argument is a text that is not base64; allowed: a base64 text'],
  ['[5]', 'base64', 'the argument is a value of kind number; allowed: a base64 text'],
  ['[5]', 'json', 'the message: the number 5 is not allowed; allowed: an object of t.Inner'],
] as const)('refuses %s as %s', (text, form, problem) => {
  expect(() => messageFrom(args(text), inner, form)).toThrow(problem);
});
