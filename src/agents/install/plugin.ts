import { pathToFileURL } from 'node:url';

/** In the first line, by which an installed plugin is recognised. */
export const PLUGIN_MARK = '// Installed by: holdfast claim install-hook --for opencode';

/**
 * The plugin of opencode, which runs in its process. opencode silently drops a
 * plugin that fails to load. So the plugin loads what can fail itself, and a
 * failure refuses each write instead.
 */
export function pluginText(module: string, options: Record<string, string>): string {
  const url = JSON.stringify(pathToFileURL(module).href);
  return `${PLUGIN_MARK}
// Remove it with: holdfast claim install-hook --for opencode --remove
export const HoldfastClaims = async (host) => {
  let hooks;
  let failure;
  try {
    globalThis.holdfastLoadedByPlugin = true;
    const { default: holdfast } = await import(${url});
    hooks = holdfast.opencodeHooks(host, ${JSON.stringify(options)});
  } catch (error) {
    failure = error;
  }
  if (hooks !== undefined) return hooks;
  return {
    'tool.execute.before': async ({ tool }) => {
      if (!['write', 'edit', 'multiedit', 'apply_patch', 'patch', 'bash'].includes(tool)) return;
      throw new Error(
        \`holdfast: the plugin that checks claims failed, so nothing was done: \${failure?.message ?? failure}. Ask the person to run: holdfast doctor . (or, to work without claims: holdfast claim install-hook --for opencode --remove)\`,
      );
    },
  };
};
`;
}

/** The module that an installed plugin loads; `null`: it is not one of ours. */
export function moduleOf(text: string): string | null {
  if (!text.startsWith(PLUGIN_MARK)) return null;
  const url = /await import\(("[^"]*")\)/.exec(text)?.[1];
  return url === undefined ? null : (JSON.parse(url) as string);
}
