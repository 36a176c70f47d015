import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

const resolve = { conditions: ['sluice-source'] };

export default defineConfig({
  ssr: { resolve },
  resolve,
  test: {
    // Most tests of the project `real` wait for servers and processes: more of them than there are cores go side by side.
    maxWorkers: 3,
    globalSetup: ['test/support/temp-folder.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.real.test.ts', 'test/**/*.model.test.ts'],
        },
      },
      { extends: true, test: { name: 'model', include: ['test/**/*.model.test.ts'], testTimeout: 120_000 } },
      {
        extends: true,
        test: {
          name: 'real',
          include: ['test/**/*.real.test.ts'],
          globalSetup: ['test/support/stack.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
