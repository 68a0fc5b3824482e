import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Locks belong to processes: a file of tests gets one of its own.
    pool: 'forks',
    // Most tests wait for other processes: more of them than processors.
    maxWorkers: 2 * availableParallelism() + 1,
    tags: [
      {
        name: 'long',
        description:
          'Takes more than a second, and a shorter test shows the same: only in test:all.',
      },
    ],
    // A lost lock never ends a test.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    sequence: { shuffle: { tests: true } },
    dangerouslyIgnoreUnhandledErrors: false,
    setupFiles: ['test/support/setup.ts'],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'json-summary'],
      thresholds: { lines: 90 },
    },
  },
});
