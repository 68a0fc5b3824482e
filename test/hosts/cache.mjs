// Where the hosts are installed: outside of the repository, and none of its
// dependencies, since they are hundreds of megabytes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { HOSTS } from './hosts.mjs';

const CACHE =
  process.env.HOLDFAST_HOSTS_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'holdfast-hosts');

/** Once for each version. */
export function install(name) {
  if (existsSync(programOf(name))) return;
  const { package: id, version } = HOSTS[name];
  const place = placeOf(name);
  console.log(`installing ${id}@${version} into ${place}`);
  mkdirSync(place, { recursive: true });
  const args = ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', place];
  const { status } = spawnSync('npm', [...args, `${id}@${version}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(`${id} cannot be installed`);
}

export function programOf(name) {
  return join(placeOf(name), 'node_modules', '.bin', HOSTS[name].bin);
}

function placeOf(name) {
  return join(CACHE, `${name}-${HOSTS[name].version}`);
}
