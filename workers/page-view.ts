/** Sends a page view to the collector, with the time, the address and the browser of the visitor. */
import { defineWorker } from 'sluice';

export default defineWorker('acme.web.v1.PageView', {
  queue: 'page-views',
  attempts: 10,
  async run(view, { collector }) {
    await collector.track({
      e: 'pv',
      dtm: String(Date.parse(view.occurredAt ?? '') || Date.now()),
      ...filled({
        url: view.url,
        page: view.title,
        refr: view.referrer,
        ua: view.userAgent,
        ip: view.address,
        uid: view.userId,
        sid: view.sessionId,
      }),
    });
  },
});

/** The protocol has no empty values: what is unknown is left out. */
function filled(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}
