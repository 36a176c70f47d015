/** Does nothing: what is left is the host. */
import { defineWorker } from 'sluice';

export default defineWorker('acme.web.v1.PageView', { queue: 'filled', run() {} });
