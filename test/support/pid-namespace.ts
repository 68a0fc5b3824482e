import { Program } from './program.js';

const DOOR = new URL('../../dist/claims.js', import.meta.url).href;

/**
 * A process in a pid namespace of its own, where it has `claims` of a folder: runs
 * `source`, and stays. Needs root and unshare(1).
 */
export function inPidNamespace(directory: string, root: string, source: string): Program {
  const program = `
    const { Claims } = await import(${JSON.stringify(DOOR)});
    const claims = new Claims(process.argv[1], { root: process.argv[2] });
    ${source}
    process.stdin.resume();`;
  const node = [process.execPath, '--input-type=module', '-e', program, directory, root];
  return Program.start('unshare', ['--pid', '--fork', '--mount-proc', ...node]);
}
