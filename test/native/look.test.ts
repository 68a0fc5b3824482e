import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { ROOT } from '../support/package-project.js';
import { needs } from '../support/tools.js';

const FIND = JSON.stringify(createRequire(import.meta.url).resolve('node-gyp-build'));

/** What the addon reads of /proc/self/status, of a process with so many groups. */
function statusWith(groups: number): string {
  const source = `
    process.setgroups(Array.from({ length: ${groups} }, (_, at) => 1e9 + at));
    const addon = require(${FIND})(${JSON.stringify(ROOT)});
    // A short file after a long one is not longer for it.
    const [, status, name] = addon.look(['/nowhere', '/proc/self/status', '/proc/self/comm']);
    process.stdout.write(name + status);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', source], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout;
}

needs('root')('a status is read to its end, however many groups there are', () => {
  for (const groups of [1, 1500, 3000, 60_000]) {
    const status = statusWith(groups);
    expect(status).toMatch(/^node\nName:\tnode\n/);
    expect(/^Groups:\t(.*?) ?$/m.exec(status)?.[1]?.split(' ')).toHaveLength(groups);
    expect(status).toMatch(/^SigIgn:\t[0-9a-f]{16}$/m);
    expect(status).toMatch(/^nonvoluntary_ctxt_switches:\t\d+\n$/m);
  }
});

test.runIf(process.platform === 'linux')('a file above 1 MiB is cut off', () => {
  const source = `
    const addon = require(${FIND})(${JSON.stringify(ROOT)});
    const file = require('node:path').join(require('node:os').tmpdir(), 'look-' + process.pid);
    require('node:fs').writeFileSync(file, 'x'.repeat(2 ** 20 + 1));
    const [text] = addon.look([file]);
    require('node:fs').unlinkSync(file);
    process.stdout.write(String(text.length));`;
  const { stdout } = spawnSync(process.execPath, ['-e', source], { encoding: 'utf8' });
  expect(stdout).toBe(String(2 ** 20));
});
