/**
 * Tells a person something, and the collector that it did. Shows the outcomes: what can never work is dead at once,
 * what may work later is tried again.
 */
import { dead, defineWorker, done, retry } from 'sluice';

export default defineWorker('acme.notify.v1.SendNotification', {
  queue: 'notifications',
  attempts: 5,
  timeoutMs: 10_000,
  async run(notification, { collector, log, signal }) {
    if (notification.channel === 'CHANNEL_UNSPECIFIED') return dead('channel: none was given');
    if (notification.address === '') return dead('address: nobody to send it to');
    if (signal.aborted) return retry('stopped before it was sent');

    log.info({ channel: notification.channel, userId: String(notification.userId) }, 'notification sent');
    await collector.track({
      e: 'se',
      se_ca: 'notification',
      se_ac: 'sent',
      se_la: String(notification.channel),
      uid: String(notification.userId),
    });
    return done();
  },
});
