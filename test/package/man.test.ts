// @module-tag long
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { pack, run } from '../support/package-project.js';
import { needs } from '../support/tools.js';

needs('man')('after npm install -g there is man holdfast-run', { timeout: 180_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-man-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { path } = pack(folder);
  const prefix = join(folder, 'prefix');
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  run(folder, 'npm', ['install', '-g', '--prefix', prefix, ...quiet, path]);
  const env = {
    ...process.env,
    MANPATH: join(prefix, 'share', 'man'),
    MANPAGER: 'cat',
    LC_ALL: 'C.UTF-8',
  };
  for (const name of ['holdfast', 'holdfast-run', 'holdfast-claim-add', 'holdfast-elect-status']) {
    const { status, stdout } = spawnSync('man', [name], { env, encoding: 'utf8', timeout: 30_000 });
    expect({ name, status }).toEqual({ name, status: 0 });
    expect(stdout).toContain(`${name.toUpperCase()}(1)`);
  }
  // As the shell finds the command.
  const version = run(folder, join(prefix, 'bin', 'holdfast'), ['--version']);
  expect(version).toMatch(/^holdfast \d/);
});
