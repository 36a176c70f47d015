/** `JSON.parse` is the judge of what is JSON: here of texts that are damaged at random, and of each rule's edges. */
import { expect, it } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import { scanObject } from '../../src/job/json-members.ts';

function isObjectToJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

const SEEDS = [
  '{"class":"HardJob","args":[1.0,-0,2.5e-7,1E+3,"é\\u00e9\\n",[],{}],"retry":true,"jid":null,"at":1763734000.5}',
  ' { "a" : [ { "b" : [ [ ] , { } ] } , false ] , "c" : "\\"\\\\\\/\\b\\f\\r\\t" } ',
  '{"":{"":{"":0}}}\n',
  '{"queue":"low","created_at":1.5,"enqueued_at":2,"args":[]}',
];
const SIGNS = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '0',
  '1',
  '-',
  '+',
  '.',
  'e',
  'u',
  ' ',
  '\n',
  '\u0000',
  't',
  'é',
  '',
];

it('takes for JSON what JSON.parse takes, whatever is changed in a text', { timeout: 60_000 }, () => {
  const random = createRandom(11);
  const next = (below: number) => Math.floor(random() * below);
  let [taken, refused] = [0, 0];
  for (let i = 0; i < 60_000; i++) {
    let text = SEEDS[next(SEEDS.length)] as string;
    for (let changes = 1 + next(2); changes > 0; changes--) {
      const at = next(text.length + 1);
      text = text.slice(0, at) + SIGNS[next(SIGNS.length)] + text.slice(at + next(3));
    }
    const isTaken = scanObject(Buffer.from(text)) !== undefined;
    if (isTaken !== isObjectToJson(text)) expect.fail(`${isTaken ? 'takes' : 'refuses'} ${JSON.stringify(text)}`);
    if (isTaken) taken += 1;
    else refused += 1;
  }
  expect(Math.min(taken, refused)).toBeGreaterThan(5_000);
});

it.each([
  '{"a":01}',
  '{"a":-}',
  '{"a":1.}',
  '{"a":.5}',
  '{"a":1e}',
  '{"a":+1}',
  '{"a":1}}',
  '{"a":1,}',
  '{,}',
  '{"a":[1,]}',
  '{"a":[}',
  '{"a":{]}',
  '{"a" 1}',
  '{a:1}',
  '{"a":tru}',
  '{"a":nul}',
  '{"a":"\t"}',
  '{"a":"\\x"}',
  '{"a":"\\u12g4"}',
  '{"a":"',
  '{"a":"\\',
  '{"a":"\\u00',
  '{"a":1',
  '{',
  '',
  '[]',
  '"a"',
  '1',
  '\ufeff{}',
  '{}\u00a0',
  'null',
])('refuses %j', (text) => {
  expect(isObjectToJson(text)).toBe(false);
  expect(scanObject(Buffer.from(text))).toBeUndefined();
});

it('counts the depth of what is as deep as a text is long', () => {
  const deep = 200_000;
  expect(scanObject(Buffer.from(`{"a":${'['.repeat(deep)}${']'.repeat(deep)}}`))?.depth).toBe(deep + 1);
  expect(scanObject(Buffer.from(`{"a":${'['.repeat(deep)}}`))).toBeUndefined();
});

it.each([
  ['{"a":"\\ud83e\\udd8a"}', true],
  ['{"a":"\\uDEAD"}', true],
  ['{"\\uD800":1}', true],
  ['{"a":"\\\\ud83e"}', false],
  ['{"a":"\\u00e9"}', false],
  ['{"a":1e100}', true],
  ['{"a":[1E+400]}', true],
  ['{"a":1e-400}', false],
  ['{"a":1e99}', false],
  [`{"a":${'9'.repeat(200)}}`, true],
  [`{"a":"${'9'.repeat(400)}","b":"1e400"}`, false],
])('suspects %j: %s', (text, isSuspect) => {
  expect(scanObject(Buffer.from(text))?.isSuspect).toBe(isSuspect);
});

it('cuts an object at its own names, whatever those of the one before were', () => {
  const objects = [
    '{"queue":1,"class":"a","args":[]}',
    '{"queue":2,"class":"b","args":[1]}',
    '{"queue_name":3,"cl":"c","args":{}}',
    '{ "queue" : 4 , "class" : "é" }',
    '{"qu\\u0065ue":5,"class":"d"}',
    '{"queue":6,"queue":7}',
    '{"class":8,"queue":9}',
  ];
  for (const text of objects) {
    const members = scanObject(Buffer.from(text))?.members ?? new Map();
    const values = [...members].map(([name, value]) => [name, JSON.parse(value)]);
    expect(Object.fromEntries(values)).toEqual(JSON.parse(text));
  }
  for (const text of ['{xqueue":1}', '{"queue"1}', '{queue":1}', '{"queue:1}', '{"queue"']) {
    scanObject(Buffer.from('{"queue":1}'));
    expect(scanObject(Buffer.from(text))).toBeUndefined();
  }
});
