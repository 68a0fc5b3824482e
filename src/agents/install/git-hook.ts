import { quote } from './command.js';

/** In the second line, by which an installed hook is recognised. */
export const GIT_HOOK_MARK = '# Installed by: holdfast claim install-hook --for git';

/** What was there before gets this name, and runs first. */
export const EARLIER_SUFFIX = '.before-holdfast';

/** The pre-commit hook: refuses a commit that touches what another agent has claimed. */
export function gitHookText(node: string, command: string, options: readonly string[]): string {
  const guard = [node, command, 'claim', 'guard', '--staged', ...options].map(quote).join(' ');
  return `#!/bin/sh
${GIT_HOOK_MARK}
# Remove it with: holdfast claim install-hook --for git --remove
earlier="$0${EARLIER_SUFFIX}"
if [ -x "$earlier" ]; then
  "$earlier" "$@" || exit
fi
exec ${guard}
`;
}
