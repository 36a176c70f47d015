/** Does nothing, many messages at a time. */
import { defineWorker } from 'sluice';

export default defineWorker('acme.web.v1.PageView', { queue: 'filled', runBatch() {} });
