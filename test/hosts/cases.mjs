import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { check, inProject } from './agents.mjs';
import { HOSTS } from './hosts.mjs';

/** What every host has to do: a title, the hosts, and what is run for each. */
export const CASES = [
  {
    title:
      'a second agent is stopped at the same file, and told why; it is free when the first is killed',
    hosts: Object.keys(HOSTS),
    run: (name) => inProject((project) => twoAgents(project, name)),
  },
  {
    title: 'a broken hook stops writes, and doctor notices it',
    hosts: Object.keys(HOSTS),
    run: (name) => inProject((project) => brokenHook(project, name)),
  },
];

async function twoAgents(project, name) {
  const { writes, runs } = HOSTS[name];
  const first = await project.agent(name, [
    writes('shared.ts', 'first'),
    runs('touch ready; sleep 60'),
  ]);
  first.installHook().start();
  await first.until(() => project.has('ready'), 'the first does not come so far');
  check(project.has('shared.ts'), `the first could not write: ${first.output.slice(-2000)}`);
  const second = await project.agent(name, [
    writes('shared.ts', 'second'),
    writes('other.ts', 'second'),
    runs('git stash -u; touch stashed'),
  ]);
  await second.installHook().run();
  check(project.read('shared.ts') === 'first', 'the second has written over the first');
  check(second.wasTold('another agent is working there'), 'its model was not told why');
  check(second.wasTold(' claim wait '), 'its model was not told what to do');
  check(project.has('other.ts'), `another file did not pass: ${second.output.slice(-2000)}`);
  check(!project.has('stashed'), 'git stash was not stopped');
  check(second.wasTold('changes files all over'), 'its model was not told about git stash');
  await first.kill();
  rmSync(join(project.root, 'shared.ts'));
  const third = await project.agent(name, [writes('shared.ts', 'third')]);
  await third.installHook().run();
  check(
    project.read('shared.ts') === 'third',
    `it is not free after a SIGKILL: ${third.output.slice(-2000)}`,
  );
}

async function brokenHook(project, name) {
  const agent = await project.agent(name, [HOSTS[name].writes('a.ts', 'x')]);
  agent.installHook();
  const whole = agent.holdfast('doctor', '--json', '.');
  check(whole.status === 0, `doctor finds fault with a whole hook: ${whole.stdout}`);
  breakHook(agent.home);
  const broken = agent.holdfast('doctor', '--json', '.');
  check(broken.status !== 0, 'doctor does not notice it');
  await agent.run();
  check(!project.has('a.ts'), 'it was written all the same');
  check(agent.wasTold('holdfast doctor'), 'its model was not told');
}

/** The hook's file is gone, as after an upgrade of Node or a removed package. */
function breakHook(home) {
  for (const file of filesBelow(home)) {
    const text = readFileSync(file, 'utf8');
    const changed = text.replaceAll(/[^'"]*\/dist\/hook\.cjs/g, (found) =>
      found.replace('/dist/', '/gone/'),
    );
    if (changed !== text) writeBack(file, changed);
  }
}

function writeBack(file, text) {
  spawnSync('tee', [file], { input: text, stdio: ['pipe', 'ignore', 'inherit'] });
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath ?? each.path, each.name));
}
