// What the pages of the actions for programs that run agents share.
import type { PageOption } from './page.js';

/** A test compares them with those that there are. */
export const HOSTS = ['claude-code', 'codex', 'gemini', 'opencode', 'cursor', 'git'] as const;
export const HOSTS_WITH_HOOK = HOSTS.filter((each) => each !== 'git');

export const UNCLAIMED: PageOption = {
  flags: ['--unclaimed'],
  value: 'WHAT',
  text: 'what to do about a write to what nobody has claimed: claim it (the default), allow or deny it',
  choices: ['claim', 'allow', 'deny'],
};
