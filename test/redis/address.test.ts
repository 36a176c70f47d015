import { expect, it } from 'vitest';
import { addressProblem } from '../../src/redis/address.ts';

it.each(['redis://h', 'rediss://u:p%25@h:1/', 'redis://:p@[::1]:6379/15?family=6'])('takes %s', (url) => {
  expect(addressProblem('REDIS_URL', url)).toBeUndefined();
});

it.each([
  ['foo', 'a string without "://"'],
  ['user:hunter2@h:6379', 'a string without "://"'],
  ['http://:hunter2@h', 'a string that begins otherwise'],
  ['redis://:hunter2@h:port', 'a string whose host or port cannot be read'],
  ['redis://u:hunter2%zz@h', 'a string with a "%" that is no escape in its user or password'],
  ['redis://:hunter2@h/mail', 'a string whose database, behind the host, is no number'],
])('says of %s what it is, and shows nothing of it', (url, kind) => {
  expect(addressProblem('REDIS_URL', url)).toBe(
    `REDIS_URL: ${kind} is not allowed; allowed: an address that begins with redis:// or rediss://, such as redis://127.0.0.1:6379`,
  );
});
