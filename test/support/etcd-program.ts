import { execFile } from 'node:child_process';
import type { Etcd } from './etcd-server.js';

interface Ran {
  status: number;
  stdout: string;
  stderr: string;
  milliseconds: number;
}

const ENTRY = new URL('../../dist/etcd.js', import.meta.url).href;

/** Runs a program that has a `locker`, until it ends by itself. */
export function program({ endpoints }: Etcd, source: string): Promise<Ran> {
  const whole = `
    import { etcdLocker } from ${JSON.stringify(ENTRY)};
    const locker = etcdLocker({ endpoints: ${JSON.stringify(endpoints)}, ttl: 2 });
    ${source}`;
  const began = performance.now();
  return new Promise((resolve) => {
    const args = ['--input-type=module', '-e', whole];
    execFile(process.execPath, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : Number(error.code ?? -1);
      resolve({ status, stdout, stderr, milliseconds: performance.now() - began });
    });
  });
}
