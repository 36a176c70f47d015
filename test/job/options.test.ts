import { expect, it } from 'vitest';
import type { Event } from '../../src/job/job.ts';
import { aboutIn, aboutInText, bullOptions } from '../../src/job/options.ts';
import { leanJob, placeJob } from '../../src/job/place.ts';

const EVENT: Event = { type: 'a.Mail', json: '{}', key: 'k' };
const DEFINITION = { queue: 'mail', attempts: 4, backoff: { baseMs: 20, maxMs: 300 } };

function optionsOf(change: Partial<Event>, isLean: boolean): string {
  const event = { ...EVENT, ...change };
  const job = placeJob(event, DEFINITION, undefined, 1_000);
  return JSON.stringify(bullOptions(isLean ? leanJob(job, event) : job, true));
}

it.each<[string, Partial<Event>, string, string]>([
  ['nothing', {}, '"attempts":4,', ''],
  ['attempts', { attempts: 3 }, '"attempts":3,', ''],
  ['as many attempts as its definition says', { attempts: 4 }, '"attempts":4,', ''],
  ['no attempts', { attempts: 0 }, '"attempts":4,', ''],
  ['a time', { runAt: 1_500 }, '"attempts":4,', '"delay":500,'],
  ['a priority', { priority: 9 }, '"attempts":4,', '"priority":9,'],
])(
  'a job says what its event asks for and its definition says, on a lean queue the former: %s',
  (_, asked, attempts, more) => {
    const backoff = '"backoff":{"type":"exponential","delay":20,"jitter":1}';
    const kept = '"removeOnComplete":false,"removeOnFail":false';
    expect(optionsOf(asked, false)).toBe(`{${attempts}${backoff},${kept},${more}"sl":{"key":"k"}}`);
    const own = asked.attempts ? attempts : '';
    expect(optionsOf(asked, true)).toBe(`{${own}"removeOnFail":false,${more}"sl":{"key":"k"}}`);
  },
);

const ABOUT = { key: 'k', id: '7d9d1d5c-3a80-4b1c-9d0e-1f1f1f1f1f1f', headers: { a: '"sl":{"key":"x"}' } };

it.each<[string, unknown]>([
  ['last, as Sluice writes it', { attempts: 3, sl: ABOUT }],
  ['first', { sl: ABOUT, attempts: 3 }],
  ['alone', { sl: { key: 'k' } }],
  ['not there', { attempts: 3, backoff: { type: 'fixed' } }],
  ['of another kind', { sl: 'text' }],
  ['null', { sl: null }],
  ['an option of an option', { a: { sl: ABOUT } }],
  ['there twice, of which one is deeper', { a: { sl: { key: 'deep' } }, sl: ABOUT }],
  ['spelt in a value', { name: '"sl":{"key":"x"}}' }],
])('what rides in the stored options is what rides in the parsed ones: %s', (_, options) => {
  const text = JSON.stringify(options);
  expect(aboutInText(text)).toEqual(aboutIn(JSON.parse(text)));
});

it.each([undefined, '', '{', '{"sl":', '{"sl":}', '[]', '"sl":{}'])('%s tells nothing of its job', (text) => {
  expect(aboutInText(text)).toBe(undefined);
});
