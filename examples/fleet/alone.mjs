import { spawnSync } from 'node:child_process';

// In its own namespaces: with its own host name, and with a file system of its
// own at one folder. A lock file there would not exclude the other hosts.
const UNSHARE = ['--user', '--map-root-user', '--mount', '--uts', '--propagation', 'private'];
const SCRIPT = `
  hostname "$FLEET_HOST" && mount -t tmpfs none "$FLEET_HOME" && cd "$FLEET_HOME" && exec "$0" "$@"
`;

/** How to start `program` as a separate host, if the system can do that. */
export function alone(program, { name, home }) {
  const env = { ...process.env, FLEET_HOST: name, FLEET_HOME: home };
  const args = [...UNSHARE, 'sh', '-c', SCRIPT, program];
  const tried = spawnSync('unshare', [...args, '-e', '0'], { env, timeout: 10_000 });
  return tried.status === 0
    ? { isAlone: true, command: 'unshare', args, env }
    : { isAlone: false, command: program, args: [], env };
}
