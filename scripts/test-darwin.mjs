// On a Mac: the checks of test/native/polling, the demo and the smoke test. On
// Linux the same with the addon's sources for macOS, compiled for Linux, in a
// Node that believes it runs on macOS: so everything runs except the kernel of
// macOS.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FLAGS } from './native/common.mjs';
import { SOURCES } from './native/darwin.mjs';
import { MILLISECONDS, root, runChecks } from './polling-checks.mjs';

// A Mac has no /proc either.
const PRETENCE = `
Object.defineProperty(process, 'platform', { value: 'darwin' });
const fs = require('node:fs');
for (const name of ['openSync', 'readFileSync', 'readlinkSync', 'readdirSync']) {
  const real = fs[name];
  fs[name] = (path, ...rest) => real(/^\\/proc\\b/.test(path) ? '/nothing' : path, ...rest);
}
require('node:module').syncBuiltinESMExports();
`;

const scratch = mkdtempSync(join(tmpdir(), 'holdfast-darwin-'));
try {
  test(process.platform === 'darwin' ? process.env : pretending());
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function test(env) {
  const run = (file) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...(file.includes('polling') ? ['--test-reporter=tap'] : []), file],
      { cwd: root, env, encoding: 'utf8', timeout: MILLISECONDS, killSignal: 'SIGKILL' },
    );
    return { status, output: `${stdout}${stderr}` };
  };
  let passed = runChecks(run);
  for (const file of ['examples/demo.mjs', 'test/smoke.mjs']) {
    const { status, output } = run(join(root, file));
    if (status === 0) console.log(`ok: ${file}`);
    else console.error(output);
    passed &&= status === 0;
  }
  process.exitCode = passed ? 0 : 1;
}

function pretending() {
  const folder = join(scratch, 'prebuilds', `darwin-${process.arch}`);
  mkdirSync(folder, { recursive: true });
  execFileSync(
    process.env.CXX ?? 'g++',
    [
      '-shared',
      '-fPIC',
      ...FLAGS,
      // Every file system of Linux has this flag, ST_VALID.
      '-DMNT_LOCAL=0x20',
      '-Isrc-native/posix',
      ...SOURCES.map((source) => `src-native/${source.replace('darwin/peer', 'linux/peer')}`),
      '-o',
      join(folder, 'holdfast.node'),
    ],
    { cwd: root, stdio: 'inherit' },
  );
  const preload = join(scratch, 'preload.cjs');
  writeFileSync(preload, PRETENCE);
  return {
    ...process.env,
    HOLDFAST_PREBUILD: scratch,
    NODE_OPTIONS: `--require=${preload}`,
  };
}
