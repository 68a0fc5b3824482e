// Sub-agents of a real host. Gemini CLI says nothing that tells them apart.
import { check, inProject, until } from './agents.mjs';
import { HOSTS } from './hosts.mjs';

export const SUB_AGENT_CASES = [
  {
    title: 'sub-agents write where their session works, and no two of them to one file',
    hosts: ['codex', 'opencode'],
    run: (name) => inProject((project) => subAgents(project, name)),
  },
];

const REFUSED = 'another agent is working there';

const waitFor = (path) => `until test -e ${path}; do sleep 0.05; done`;

async function subAgents(project, name) {
  const { writes, rewrites, runs, spawns } = HOSTS[name];
  const session = await project.agent(name, {
    main: [
      writes('shared.ts', 'main'),
      spawns('sub-one', 'sub-two'),
      runs(`${waitFor('go')}; touch going`),
      spawns('sub-three'),
      runs(waitFor('end')),
    ],
    'sub-one': [
      rewrites('shared.ts', 'main', 'one'),
      writes('one.ts', 'one'),
      runs(`touch one-wrote; ${waitFor('one-ends')}`),
    ],
    'sub-two': [
      runs(waitFor('one-wrote')),
      rewrites('shared.ts', 'one', 'two'),
      writes('two.ts', 'two'),
      runs('touch two-tried'),
    ],
    'sub-three': [rewrites('one.ts', 'one', 'three'), runs('touch three-tried')],
  });
  session.installHook().start();
  await session.until(() => project.has('two-tried'), 'the sub-agents do not come so far');
  check(project.read('shared.ts') === 'one', 'the sub-agent could not write to its parent’s file');
  check(project.has('two.ts'), 'a sub-agent could not write to a file of nobody');
  check(session.wasTold(REFUSED, 'sub-two'), 'its sibling was not told why it was refused');
  check(!session.wasTold(REFUSED, 'sub-one'), 'the first sub-agent was refused');
  const child = project.claims().find(({ files }) => files.includes('one.ts'));
  const parent = project.claims().find(({ agent }) => agent === child?.parent);
  check(parent?.files.includes('shared.ts'), `it is no child: ${JSON.stringify(project.claims())}`);
  await refusesOthers(project, name, 'while a sub-agent works');

  project.touch('one-ends');
  const isAlone = () => project.claims().every((each) => each.parent === null);
  await until(isAlone, () => `a sub-agent's claim stays: ${JSON.stringify(project.claims())}`);
  const left = project.claims();
  const files = left.find(({ agent }) => agent === parent.agent)?.files ?? [];
  for (const file of ['shared.ts', 'one.ts', 'two.ts']) {
    check(files.includes(file), `${file} is not the parent's: ${JSON.stringify(left)}`);
  }
  await refusesOthers(project, name, 'after the end of the sub-agents');

  project.touch('go');
  await session.until(() => project.has('three-tried'), 'the third sub-agent does not come so far');
  check(project.read('one.ts') === 'three', 'what a sub-agent had is refused to the next one');
  project.touch('end');
  await session.ended();
}

/** Another session gets none of the files of the first one and its sub-agents. */
async function refusesOthers(project, name, when) {
  const before = ['shared.ts', 'one.ts'].map((path) => project.read(path));
  const { rewrites } = HOSTS[name];
  const other = await project.agent(name, [
    rewrites('shared.ts', before[0], 'other'),
    rewrites('one.ts', before[1], 'other'),
  ]);
  await other.installHook().run();
  const after = ['shared.ts', 'one.ts'].map((path) => project.read(path));
  check(after.join() === before.join(), `${when}, another session has written: ${after}`);
  check(other.wasTold(REFUSED), `${when}, its model was not told why`);
}
