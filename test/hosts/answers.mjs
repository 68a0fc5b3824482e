// What each host makes of what a hook does.
import { inProject } from './agents.mjs';
import { HOSTS } from './hosts.mjs';

/** What a hook does, and whether the write is then blocked. */
export const ANSWERS = [
  ['status 2, a text', 'echo no >&2; exit 2'],
  ['status 2, no text', 'exit 2'],
  ['decision "block"', `echo '{"decision":"block","reason":"no"}'`],
  ['permissionDecision "deny"', 'DENY'],
  ['status 1', 'echo no >&2; exit 1'],
  ['no JSON', 'echo no'],
  ['a signal', 'kill -9 $$'],
  ['the time-out', 'sleep 20'],
];

export async function tableFor(name) {
  const host = HOSTS[name];
  const rows = {};
  for (const [what, given] of ANSWERS) {
    const decision = {
      hookEventName: host.event,
      permissionDecision: 'deny',
      permissionDecisionReason: 'no',
    };
    const command =
      given === 'DENY' ? `echo '${JSON.stringify({ hookSpecificOutput: decision })}'` : given;
    await inProject(async (project) => {
      const agent = await project.agent(name, [host.writes('a.ts', 'x')]);
      host.hook(agent.home, command, 2);
      await agent.run();
      rows[what] = project.has('a.ts') ? 'written' : 'blocked';
    });
  }
  return rows;
}

/** What the hook relies on. The others may change. */
export const RELIED_ON = ['status 2, a text'];
