// What a run was measured on, and of what.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

function output(command, ...args) {
  const options = { cwd: new URL('..', import.meta.url), encoding: 'utf8' };
  return execFileSync(command, args, { ...options, stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** The pages that a run writes do not make the tree another one. */
export const PAGES = ['bench/README.md', 'docs/performance.md', 'docs/performance.svg'];

function describeCommit() {
  try {
    const others = PAGES.map((page) => `:!${page}`);
    const commit = output('git', 'rev-parse', '--short', 'HEAD');
    const isClean = output('git', 'status', '--porcelain', '--', '.', ...others) === '';
    return { commit: isClean ? commit : `${commit} with changes`, isClean };
  } catch {
    return { commit: 'no commit', isClean: false };
  }
}

export function describeMachine(peers) {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const { commit, isClean } = describeCommit();
  return {
    isClean,
    date: new Date().toISOString().slice(0, 10),
    subject: `Holdfast ${version} (${commit})`,
    processors: `${os.cpus().length} × ${os.cpus()[0]?.model.trim() ?? 'unknown CPU'}`,
    system: `${os.type()} ${os.release()}, ${output('stat', '-f', '-c', '%T', os.tmpdir())}`,
    load: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' '),
    software: [`Node ${process.version}`, ...Object.entries(peers).map((peer) => peer.join(' '))],
  };
}
