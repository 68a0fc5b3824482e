// Runs the smoke test of the core, and the example that must work there, on Bun,
// whose binary is an npm package.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BUN = '@oven/bun-linux-x64-baseline@1.4.5';
const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'bun');
const binary = join(cache, 'node_modules', '@oven', 'bun-linux-x64-baseline', 'bin', 'bun');

if (!existsSync(binary)) {
  mkdirSync(cache, { recursive: true });
  const args = ['install', '--prefix', cache, '--no-save', '--force', '--ignore-scripts', BUN];
  execFileSync('npm', args, { stdio: 'inherit' });
}

function run(...words) {
  const { status, signal } = spawnSync(binary, words, { stdio: 'inherit', timeout: 120_000 });
  if (signal !== null) console.error(`Bun was ended by ${signal}`);
  return status ?? 1;
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-smoke-bun-'));
const host = join(root, 'examples', 'plugin-host', 'host.mjs');
// Each checks its own result.
process.exitCode =
  run(join(root, 'test', 'smoke.mjs')) || run(host, folder) || run(host, folder, '--processes');
rmSync(folder, { recursive: true });
