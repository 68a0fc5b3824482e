import { spawnSync } from 'node:child_process';

const INSIDE = 'HOLDFAST_HOSTS_INSIDE';

/** Whether this process was started by {@link rerunWithoutNetwork}. */
export function isInside() {
  return process.env[INSIDE] !== undefined;
}

/** Runs this program again where it reaches nothing but itself; only root can. Returns its status. */
export function rerunWithoutNetwork() {
  const env = { ...process.env, [INSIDE]: '1' };
  const again = [process.execPath, ...process.argv.slice(1)];
  const probe = spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up']);
  if (probe.status !== 0) {
    console.log('the hosts may reach the network here: only root can keep them from it');
    return spawnSync(again[0], again.slice(1), { env, stdio: 'inherit' }).status ?? 1;
  }
  const script = 'ip link set lo up && exec "$@"';
  const args = ['-n', 'sh', '-c', script, 'sh', ...again];
  return spawnSync('unshare', args, { env, stdio: 'inherit' }).status ?? 1;
}
