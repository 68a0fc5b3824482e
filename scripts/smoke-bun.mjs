// Runs the smoke test of the core on Bun, whose binary is an npm package.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
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
const { status, signal } = spawnSync(binary, [join(root, 'test', 'smoke.mjs')], {
  stdio: 'inherit',
  timeout: 120_000,
});
if (signal !== null) console.error(`Bun was ended by ${signal}`);
process.exit(status ?? 1);
