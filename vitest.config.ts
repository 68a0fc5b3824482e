import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Locks belong to processes: a file of tests gets one of its own.
    pool: 'forks',
    maxWorkers: 2,
    // A lost lock hangs for ever.
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
