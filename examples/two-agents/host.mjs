// Plays a host, the program that runs an agent: before each tool call it runs the
// hook from its settings, and does what the hook says.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Where each host has its hooks, and how it writes a file. */
const HOSTS = {
  'claude-code': {
    settings: '.claude/settings.local.json',
    write: (path, text) => ({
      tool_name: 'Write',
      tool_input: { file_path: resolve(path), content: text },
    }),
  },
  codex: {
    settings: '.codex/hooks.json',
    write: (path, text) => ({
      tool_name: 'apply_patch',
      tool_input: { command: patchThatAdds(path, text) },
    }),
  },
};
const DENIED = 2;
const host = HOSTS[process.argv[2]];

function patchThatAdds(path, text) {
  const lines = text.trimEnd().split('\n');
  const added = lines.map((line) => `+${line}`);
  return ['*** Begin Patch', `*** Add File: ${path}`, ...added, '*** End Patch', ''].join('\n');
}

/** Why a hook refuses the call; `null`: none does. */
function refusalOf(call) {
  const { hooks } = JSON.parse(readFileSync(host.settings, 'utf8'));
  const input = JSON.stringify({
    session_id: `session-${process.pid}`,
    cwd: process.cwd(),
    hook_event_name: 'PreToolUse',
    ...call,
  });
  for (const { matcher, hooks: commands } of hooks.PreToolUse) {
    if (!new RegExp(`^(?:${matcher})$`).test(call.tool_name)) continue;
    for (const { command, timeout } of commands) {
      const options = { shell: true, input, encoding: 'utf8', timeout: timeout * 1000 };
      const { status, stderr } = spawnSync(command, options);
      // With any other status hosts make the call anyway.
      if (status === DENIED) return stderr.trimEnd();
    }
  }
  return null;
}

process.on('message', ({ write, text, run }) => {
  const isWrite = run === undefined;
  const shell = { tool_name: 'Bash', tool_input: { command: run } };
  const reason = refusalOf(isWrite ? host.write(write, text) : shell);
  if (reason === null) {
    if (isWrite) writeFileSync(write, text);
    else spawnSync(run, { shell: true, stdio: 'ignore' });
  }
  process.send({ reason });
});
process.once('disconnect', () => process.exit());
