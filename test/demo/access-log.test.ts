import { expect, it } from 'vitest';
import { parseLogLine } from '../../demo/access-log.ts';

const parse = (text: string) => parseLogLine(text, 1, 'https://log.example')?.message;
const line = ({
  host = '192.0.2.1',
  user = '-',
  time = '17/May/2015:10:05:03 +0000',
  request = 'GET / HTTP/1.1',
  tail = '200 5 "-" "-"',
}) => `${host} - ${user} [${time}] "${request}" ${tail}`;

it('reads every field of a line', () => {
  const text =
    '83.149.9.216 - ada [17/May/2015:10:05:03 +0000] "GET /a/b.png?x=1 HTTP/1.1" 200 203023 "http://site.example/" "Mozilla/5.0 (X11)"';
  expect(parseLogLine(text, 7, 'https://log.example')).toMatchObject({
    key: '83.149.9.216',
    message: {
      userId: 'ada',
      url: 'https://log.example/a/b.png?x=1',
      referrer: 'http://site.example/',
      userAgent: 'Mozilla/5.0 (X11)',
      address: '83.149.9.216',
      occurredAt: '2015-05-17T10:05:03.000Z',
      method: 'GET',
      status: 200,
      bytes: '203023',
    },
  });
});

it('takes - for nothing', () => {
  expect(parse(line({ tail: '- - "-" "-"' }))).toMatchObject({
    userId: '',
    referrer: '',
    userAgent: '',
    status: 0,
    bytes: '0',
  });
});

it.each([
  ['17/May/2015:10:05:03 +0000', '2015-05-17T10:05:03.000Z'],
  ['17/May/2015:10:05:03 +0530', '2015-05-17T04:35:03.000Z'],
  ['31/Dec/2015:23:30:00 -0100', '2016-01-01T00:30:00.000Z'],
  ['29/Feb/2016:00:00:00 +0000', '2016-02-29T00:00:00.000Z'],
])('reads the time %s with its zone', (time, expected) => {
  expect(parse(line({ time }))?.occurredAt).toBe(expected);
});

it.each([
  '30/Feb/2015:00:00:00 +0000',
  '17/Mai/2015:10:05:03 +0000',
  '17/May/2015:25:05:03 +0000',
  '2015-05-17T10:05:03Z',
])('does not guess at the time %s', (time) => {
  expect(parse(line({ time }))).toBeUndefined();
});

it.each([
  ['GET /a b c HTTP/1.1', 'GET', 'https://log.example/a b c'],
  ['GET /old', 'GET', 'https://log.example/old'],
  ['GET http://other.example/x HTTP/1.1', 'GET', 'http://other.example/x'],
  ['-', '', 'https://log.example'],
  ['\\x16\\x03\\x01', '', 'https://log.example'],
  ['GET /say\\"hi\\" HTTP/1.1', 'GET', 'https://log.example/say"hi"'],
])('reads the request %s', (request, method, url) => {
  expect(parse(line({ request }))).toMatchObject({ method, url });
});

it.each([
  ['a \\"quoted\\" name', 'a "quoted" name'],
  ['back\\\\slash', 'back\\slash'],
  ['not hex: \\\\x41', 'not hex: \\x41'],
  ['tab\\there', 'tab\there'],
  ['gr\\xc3\\xbc\\xc3\\x9fe', 'grüße'],
  ['\\xe4\\xe5\\xe3', '\\xe4\\xe5\\xe3'],
  ['ends in \\\\', 'ends in \\'],
])('reads the field %s', (field, expected) => {
  expect(parse(line({ tail: `200 5 "${field}" "x"` }))?.referrer).toBe(expected);
  expect(parse(line({ tail: `200 5 "x" "${field}"` }))?.userAgent).toBe(expected);
});

it('reads IPv6 addresses, host names and users with spaces', () => {
  expect(parse(line({ host: '2001:db8::7' }))?.address).toBe('2001:db8::7');
  expect(parse(line({ host: 'crawl.example.org' }))?.address).toBe('crawl.example.org');
  expect(parse(line({ user: 'Ada Lovelace' }))?.userId).toBe('Ada Lovelace');
});

it('takes lines whose user agent was cut, and lines with more fields', () => {
  expect(parse(line({ tail: '200 5 "-" "Mozilla/5.0 (X' }))?.userAgent).toBe('Mozilla/5.0 (X');
  expect(parse(line({ tail: '200 5 "-" "Mozilla/5.0" "10.0.0.1"' }))?.userAgent).toBe('Mozilla/5.0');
});

it.each([
  '',
  'nonsense',
  '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5',
  '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" two 5 "-" "-"',
  '192.0.2.1 - - 17/May/2015:10:05:03 +0000 "GET / HTTP/1.1" 200 5 "-" "-"',
])('does not take "%s" for a line', (text) => {
  expect(parse(text)).toBeUndefined();
});

it('gives equal lines at different places ids of their own, the same each time', () => {
  const ids = [1, 2, 1].map((n) => parseLogLine(line({}), n, '')?.id);
  expect(ids[0]).not.toBe(ids[1]);
  expect(ids[0]).toBe(ids[2]);
});

it('is not slow on long garbage', () => {
  const garbage = `${'a '.repeat(20_000)}[${'"\\'.repeat(20_000)}`;
  const since = performance.now();
  expect(parse(garbage)).toBeUndefined();
  expect(performance.now() - since).toBeLessThan(1_000);
});
