import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';

/** A separate host for one test, connected to this one by a virtual cable. Needs root. */
export interface Cable {
  /** The address of this side. */
  address: string;
  /** A prefix that runs a command on the other side. */
  exec: [file: string, args: string[]];
  /** Both sides stay up, and nothing gets through. */
  pull(): void;
}

let count = 0;

export function cable(): Cable {
  const id = `${process.pid}x${++count}`;
  const [space, here, there] = [`hf${id}`, `h${id}`, `t${id}`];
  const net = `10.213.${process.pid % 256}`;
  const ip = (...args: string[]): void => {
    execFileSync('ip', args, { stdio: 'ignore', timeout: 5000 });
  };
  ip('netns', 'add', space);
  onTestFinished(() => {
    ip('netns', 'del', space);
    execFileSync('sh', ['-c', `ip link del ${here} 2>&1 || true`], { stdio: 'ignore' });
  });
  ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there);
  ip('link', 'set', there, 'netns', space);
  ip('addr', 'add', `${net}.1/24`, 'dev', here);
  ip('link', 'set', here, 'up');
  ip('-n', space, 'addr', 'add', `${net}.2/24`, 'dev', there);
  ip('-n', space, 'link', 'set', there, 'up');
  return {
    address: `${net}.1`,
    exec: ['ip', ['netns', 'exec', space]],
    // The other end: this one would tell the server's sockets.
    pull: () => ip('-n', space, 'link', 'set', there, 'down'),
  };
}
