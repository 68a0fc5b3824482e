import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { longFiles } from './test/support/long-files.js';

// More certificates cost each Node program up to 80 ms at its start, and the
// tests start thousands. Those that fetch packages put them back.
const { NODE_EXTRA_CA_CERTS: certificates } = process.env;
if (certificates !== undefined) process.env['HOLDFAST_TEST_CA_CERTS'] = certificates;
delete process.env['NODE_EXTRA_CA_CERTS'];

const ONLY_LONG = process.argv.includes('--tags-filter=long');
const ALL = ONLY_LONG ? longFiles('test') : ['test/**/*.test.ts'];
// After all others, since others would notice: it fills the kernel's table of
// locks, which each process reads to say who holds a lock.
const ALONE = ['test/holders/crowded-table.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: { name: 'together', include: ALL, exclude: ALONE, sequence: { groupOrder: 0 } },
      },
      { extends: true, test: { name: 'alone', include: ALONE, sequence: { groupOrder: 1 } } },
    ],
    // Locks belong to processes: a file of tests gets one of its own.
    pool: 'forks',
    // Most tests wait for other processes: more of them than processors.
    maxWorkers: 2 * availableParallelism() + 1,
    tags: [
      {
        name: 'long',
        description:
          'Looks for what only many rounds find; a shorter test shows the same. Not in npm test.',
        timeout: 240_000,
      },
    ],
    // A lost lock never ends a test. Far more than any takes: a busy machine is no
    // fault of the code.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { shuffle: { tests: true } },
    dangerouslyIgnoreUnhandledErrors: false,
    setupFiles: ['test/support/setup.ts'],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'json-summary'],
      reportOnFailure: true,
      thresholds: { lines: 90 },
    },
  },
});
