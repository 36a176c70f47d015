/** The texts of the files that `sluice new worker` writes: a message, its worker, and a test that passes as it is. */

export function protoText(type: string): string {
  const steps = type.split('.');
  return `syntax = "proto3";

package ${steps.slice(0, -1).join('.')};

message ${steps.at(-1)} {
  uint64 user_id = 1;
  string email = 2;
}
`;
}

export function workerText(type: string, file: string): string {
  return `import { dead, defineWorker } from 'sluice';

export default defineWorker('${type}', {
  queue: '${file}',
  attempts: 10,
  async run(message, { log }) {
    if (message.email === '') return dead('email: nobody to write to');
    log.info({ userId: String(message.userId) }, 'ran');
  },
});
`;
}

/** `worker`: the name of its file. `proto`: the folder of the .proto files, from the test's. */
export function testText(type: string, worker: string, proto: string): string {
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { perform } from 'sluice/testing';
import worker from './${worker}';

const proto = [fileURLToPath(new URL('${proto}', import.meta.url))];

test('${type} is done', async () => {
  const { outcome } = await perform(worker, { userId: 7n, email: 'ada@example.com' }, { proto });
  assert.equal(outcome.kind, 'done');
});

test('${type} without an address is dead', async () => {
  const { outcome } = await perform(worker, { userId: 7n }, { proto });
  assert.equal(outcome.kind, 'dead');
});
`;
}
