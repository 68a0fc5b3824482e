// The tools of the documentation have packages of their own, in site/, so that
// `npm ci` at the root stays small: node scripts/site.mjs build|dev|preview|spell.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SITE = fileURLToPath(new URL('../site', import.meta.url));
const LOCK = `${SITE}/package-lock.json`;
const INSTALLED = `${SITE}/node_modules/.installed-lock.json`;

function npm(...args) {
  const { status, error } = spawnSync('npm', args, { cwd: SITE, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const isInstalled = existsSync(INSTALLED) && readFileSync(INSTALLED).equals(readFileSync(LOCK));
if (!isInstalled) {
  // esbuild's script only checks the binary that npm has installed.
  npm('ci', '--ignore-scripts');
  copyFileSync(LOCK, INSTALLED);
}
const [script, ...args] = process.argv.slice(2);
npm('run', script, '--', ...args);
