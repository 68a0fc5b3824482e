// One agent: a process that changes files, and asks before each. It does not
// touch its claim: descriptor 3 holds that until this process has ended.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Claims } from 'holdfast/claims';

const [agent, root, directory, steps] = process.argv.slice(2);
const claims = new Claims(directory, { root });

async function edit(path, text) {
  const [{ verdict, owner }] = await claims.check([path], { as: agent });
  if (verdict !== 'mine') {
    const whose = owner === null ? 'nobody has claimed it' : `it is ${owner.agent}'s`;
    console.log(`${agent}: refused ${path}: ${whose}`);
    return;
  }
  appendFileSync(join(root, path), `${text}\n`);
  console.log(`${agent}: changed ${path}`);
}

/** Waits for what another agent must write first. Reading needs no claim. */
async function wait(path, text) {
  const file = join(root, path);
  console.log(`${agent}: waits for ${path}`);
  while (!existsSync(file) || !readFileSync(file, 'utf8').includes(text)) await setTimeout(50);
}

for (const step of JSON.parse(steps)) {
  if (step.edit !== undefined) await edit(step.edit, step.add);
  else if (step.await !== undefined) await wait(step.await, step.until);
  else if (step.crash === true) process.kill(process.pid, 'SIGKILL');
}
