/** Sends the event on, as workers/page-view.ts does. */
import { defineWorker } from 'sluice';

export default defineWorker('acme.web.v1.PageView', {
  queue: 'filled',
  async run({ url, title, userId, occurredAt }, { collector }) {
    await collector.track({ e: 'pv', dtm: String(Date.parse(occurredAt ?? '') || 0), url, page: title, uid: userId });
  },
});
