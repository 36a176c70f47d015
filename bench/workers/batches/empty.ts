/** Does nothing, many messages at a time. */
import { defineWorkerFor } from '../../../src/definition/define.ts';
import type { WorkerOptions } from '../../../src/definition/worker.ts';

const options = { queue: 'filled', runBatch: () => undefined };

export default defineWorkerFor('acme.web.v1.PageView', options as object as WorkerOptions<object>);
