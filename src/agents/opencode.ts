// What opencode's plugin runs, in the process of opencode.
import { decide, type HookOptions, type Unclaimed } from './hook.js';
import { HOSTS } from './hosts.js';
import { understand } from './input.js';

/** A global variable that the plugin sets: this is no program then. */
export const LOADED_BY_PLUGIN = 'holdfastLoadedByPlugin';

/** What opencode gives a plugin, as far as it is used here. */
export interface OpencodeInput {
  directory?: string;
}

interface Before {
  tool: string;
  sessionID: string;
}

interface OpencodeEvent {
  event: { type: string; properties?: { info?: { id?: unknown; parentID?: unknown } } };
}

export interface OpencodeHooks {
  event(given: OpencodeEvent): Promise<void>;
  'tool.execute.before'(input: Before, output: { args?: unknown }): Promise<void>;
}

/** `options`: what was given to `install-hook`. A throw is how opencode is told no. */
export function opencodeHooks(
  { directory = process.cwd() }: OpencodeInput,
  options: { unclaimed?: string; directory?: string } = {},
): OpencodeHooks {
  const parents = new Map<string, string>();
  const host = HOSTS.opencode;
  const shared: HookOptions = {
    host,
    unclaimed: (options.unclaimed ?? 'claim') as Unclaimed,
    directory: options.directory ?? (process.env['HOLDFAST_CLAIMS'] || null),
    agent: process.env['HOLDFAST_AGENT'] || undefined,
    from: process.pid,
  };
  return {
    async event({ event }) {
      const { id, parentID } = event.properties?.info ?? {};
      if (
        event.type === 'session.created' &&
        typeof id === 'string' &&
        typeof parentID === 'string'
      ) {
        parents.set(id, parentID);
      }
    },
    async 'tool.execute.before'({ tool, sessionID }, { args }) {
      const top = topOf(sessionID, parents);
      const input = understand(
        {
          tool_name: tool,
          tool_input: args,
          cwd: directory,
          session_id: top,
          ...(top !== sessionID && { agent_id: sessionID }),
        },
        host,
      );
      const decision = await decide(input, shared);
      if (decision.kind === 'deny') throw new Error(decision.reason);
    },
  };
}

/** The session that is nobody's sub-agent. */
function topOf(session: string, parents: ReadonlyMap<string, string>): string {
  let top = session;
  for (let depth = 0; depth < 64; depth++) {
    const parent = parents.get(top);
    if (parent === undefined) return top;
    top = parent;
  }
  return top;
}
