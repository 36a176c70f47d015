/** Notes how old each event is when its worker starts, in milliseconds; the notes are written when the process ends. */
import { writeFileSync } from 'node:fs';
import { defineWorker } from 'sluice';

const ages: number[] = [];
process.once('exit', () => writeFileSync(process.env.BENCH_AGES ?? '/dev/null', JSON.stringify(ages)));

export default defineWorker('acme.web.v1.PageView', {
  queue: 'filled',
  run({ occurredAt }) {
    ages.push(Date.now() - Date.parse(occurredAt ?? ''));
  },
});
