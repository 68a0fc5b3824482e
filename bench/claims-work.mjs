// The code of the processes in which claims are measured: each has compiled
// nothing yet, and reports its CPU time in milliseconds.
import { Child } from './child.mjs';
import { FIRST_CPU } from './cpus.mjs';

export const CLAIMS = new URL('../dist/claims.js', import.meta.url).href;

// Each says [milliseconds, the same with the import, what else].
const PRELUDE = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { join } from 'node:path';
  const [module, input, directory, root] = process.argv.slice(1);
  const requests = JSON.parse(readFileSync(input, 'utf8'));
  const cpu = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
`;
const IMPORT = `${PRELUDE}
  const start = cpu();
  const { Claims } = await import(module);
  const claims = new Claims(directory, { root });
  const begin = cpu();
`;
const SAY = 'process.stdout.write(JSON.stringify([end - begin, end - start, extra]) + "\\n");';
const WORK = {
  claim: `${IMPORT}
    const claim = await claims.claim(requests[0]);
    const end = cpu();
    const extra = claim.files.length + claim.directories.length;
    await claim.release();
    ${SAY}
  `,
  plan: `${IMPORT}
    const plan = claims.plan(requests);
    const end = cpu();
    const extra = [plan.conflicts.length, plan.waves.length];
    ${SAY}
  `,
  /** What any reader of the claims has to do. */
  read: `${PRELUDE}
    const [start, begin] = [cpu(), cpu()];
    let extra = 0;
    for (const name of readdirSync(directory)) {
      if (!name.endsWith('.lock')) continue;
      extra += JSON.parse(readFileSync(join(directory, name), 'utf8')).files.length;
    }
    const end = cpu();
    ${SAY}
  `,
  hold: `${IMPORT}
    const held = await claims.claimAll(requests);
    process.stdout.write('held ' + held.length + '\\n');
    process.stdin.resume();
    process.stdin.on('end', () => process.exit());
  `,
};

export function startWork(work, input, directory, root, module = CLAIMS) {
  const args = ['--input-type=module', '-e', WORK[work], '--', module, input, directory, root];
  return new Child(process.execPath, args, { cpu: FIRST_CPU });
}

/** What one process says. */
export async function timeWork(...args) {
  const child = startWork(...args);
  const said = JSON.parse(await child.hear());
  await child.kill();
  return said;
}
