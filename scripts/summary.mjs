// The last line of a CI run, from vitest's own report; a test that was skipped
// counts as failed where every tool is there.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { numPassedTests: passed, numFailedTests: failed, numTotalTests: total } = report;
const skipped = total - passed - failed;
for (const file of report.testResults) {
  for (const { status, fullName } of file.assertionResults) {
    if (status !== 'passed') console.log(`${status}: ${fullName}`);
  }
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(report.success && passed > 0 && skipped === 0 ? 0 : 1);
