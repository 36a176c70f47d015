/** The text that a Sidekiq job leaves on its queue: as it came where that is what Sidekiq would have written. */
import { expect, it } from 'vitest';
import { parseSidekiqJob, type Stamp, stampedText } from '../../src/job/sidekiq-job.ts';

const WHOLE = '"class":"HardJob","args":[ 1.0, {} ],"retry":true,"queue":"low","jid":"a1","created_at":1700000000.5';
const STAMP: Stamp = {
  jid: 'b2',
  queue: 'low',
  createdAtMs: 1_700_000_000_500,
  dialect: '7',
  about: { source: 'k~t~0~0~5' },
};
const OWN = '"sl":{"source":"k~t~0~0~5"}';

function stamped(text: string, stamp = STAMP): string {
  return stampedText(parseSidekiqJob(Buffer.from(text)), stamp);
}

it.each([
  ['that says all', `{${WHOLE}}`, `{${WHOLE},${OWN}}`],
  ['in a spelling of its own', `{ ${WHOLE} ,"é": "\\u00e9" }`, `{${WHOLE} ,"é": "\\u00e9" ,${OWN}}`],
  ['with a member twice', `{"class":"Easy",${WHOLE}}`, `{${WHOLE},${OWN}}`],
  ['that was enqueued before', `{"enqueued_at":1,${WHOLE},"sl":{"source":"k~x~0~0~1"}}`, `{${WHOLE},${OWN}}`],
  ['without a jid', `{${WHOLE.replace('"jid":"a1",', '')}}`, `{${WHOLE.replace('"jid":"a1",', '')},"jid":"b2",${OWN}}`],
  ['whose retry is null', `{${WHOLE.replace('true', 'null')}}`, `{${WHOLE},${OWN}}`],
  ['with whole milliseconds', `{${WHOLE.replace('1700000000.5', '1700000000500')}}`, `{${WHOLE}00000,${OWN}}`],
])('stamps a job %s', (_, text, expected) => {
  expect(stamped(text)).toBe(expected);
  expect(JSON.parse(expected)).toMatchObject({ class: 'HardJob', args: [1, {}], queue: 'low' });
});

it('stamps a job that goes to another queue', () => {
  expect(stamped(`{${WHOLE}}`, { ...STAMP, queue: 'high' })).toBe(`{${WHOLE.replace('low', 'high')},${OWN}}`);
});

it('leaves a job as it is that there is nothing to say of', () => {
  expect(stamped(`{${WHOLE}}`, { ...STAMP, about: {} })).toBe(`{${WHOLE}}`);
});
