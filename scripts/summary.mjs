// The last line of a CI run, from the reports of vitest: node scripts/summary.mjs REPORT…
// A test may be left out of one run and part of another; one that is skipped in
// all of them counts as failed where every tool is there.
import { readFileSync } from 'node:fs';

const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')));
const results = new Map();
for (const { testResults } of reports) {
  // The number of a test among those with one name: their order is the same in
  // each run.
  const seen = new Map();
  for (const { name: file, assertionResults } of testResults) {
    for (const { status, fullName } of assertionResults) {
      // A seed in a title is another one in each run.
      const name = `${file}\0${fullName.replace(/SEED=\d+/, 'SEED')}`;
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      const test = `${name}\0${count}`;
      const hasRun = status === 'passed' || status === 'failed';
      if (hasRun || !results.has(test)) results.set(test, { status, fullName });
    }
  }
}
const counts = { passed: 0, failed: 0, skipped: 0 };
for (const { status, fullName } of results.values()) {
  counts[status === 'passed' || status === 'failed' ? status : 'skipped']++;
  if (status !== 'passed') console.log(`${status}: ${fullName}`);
}
const { passed, failed, skipped } = counts;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
const succeeded = reports.every(({ success }) => success);
process.exit(succeeded && passed > 0 && failed === 0 && skipped === 0 ? 0 : 1);
