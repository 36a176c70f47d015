/** What a letter tells of a dead Sidekiq job. */
import { expect, it } from 'vitest';
import { groupMark, idOfGroup } from '../../../src/job/identity.ts';
import { deadJobReport } from '../../../src/queue/sidekiq/dead-job.ts';
import { type QueuedJob, readJob } from '../../../src/queue/sidekiq/job.ts';
import { takenJob } from '../../../src/worker/hosts/sidekiq-job.ts';

const job = (sl: object) => JSON.stringify({ class: 'A', args: [], queue: 'low', created_at: 1.5, sl });
const seen = (text: string) => takenJob('high', readJob(Buffer.from(text)) as QueuedJob).about?.id;

it.each(['source', 'from'])(
  'tells the id that workers saw of the event, whatever queue they took it from: %s',
  (name) => {
    const text = job({ [name]: idOfGroup('k~t~0~0~7', groupMark('g')), key: 'k' });
    expect(deadJobReport(text)?.about).toEqual({ key: 'k', id: seen(text) });
    expect(seen(text)).toMatch(/^[0-9a-f-]{36}$/);
  },
);

it('tells the id that its producer gave, and of a job from elsewhere none', () => {
  expect(deadJobReport(job({ source: 'k~t~0~0~7', id: 'e' }))?.about).toEqual({ id: 'e' });
  expect(deadJobReport(job({ key: 'k' }))?.about).toEqual({ key: 'k' });
});
