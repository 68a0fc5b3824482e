// What opencode's plugin runs, in the process of opencode.
import { decide, type HookOptions, type Unclaimed } from './hook.js';
import { HOSTS } from './hosts.js';
import { understand } from './input.js';
import { SessionsOfProcess, sessionsProcess } from './process-sessions.js';
import type { Session } from './session.js';

/** A global variable that the plugin sets: then this file is a module, not a program. */
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
  event: {
    type: string;
    properties?: {
      sessionID?: unknown;
      info?: { id?: unknown; parentID?: unknown };
      status?: { type?: unknown };
    };
  };
}

export interface OpencodeHooks {
  event(given: OpencodeEvent): Promise<void>;
  'tool.execute.before'(input: Before, output: { args?: unknown }): Promise<void>;
}

/** opencode loads the plugin once for each project that its process works in. */
let ofThisProcess: SessionsOfProcess | undefined;

function sessionsHere(): SessionsOfProcess {
  const given = process.env['HOLDFAST_AGENT'] ?? '';
  ofThisProcess ??= new SessionsOfProcess(sessionsProcess(HOSTS.opencode, given, process.pid));
  return ofThisProcess;
}

/** `options`: what was given to `install-hook`. A throw is how opencode is told no. */
export function opencodeHooks(
  { directory = process.cwd() }: OpencodeInput,
  options: { unclaimed?: string; directory?: string } = {},
  sessions: SessionsOfProcess = sessionsHere(),
): OpencodeHooks {
  const host = HOSTS.opencode;
  const shared: HookOptions = {
    host,
    unclaimed: (options.unclaimed ?? 'claim') as Unclaimed,
    directory: options.directory ?? (process.env['HOLDFAST_CLAIMS'] || null),
  };
  let endings: Promise<unknown> = Promise.resolve();
  const end = (kind: 'session-end' | 'subagent-end', session: Session): Promise<unknown> => {
    const input = { kind, session: null, subagent: null, cwd: directory } as const;
    endings = endings.then(() => decide(input, { ...shared, session }));
    return endings;
  };
  return {
    async event({ event: { type, properties = {} } }) {
      const { info, status } = properties;
      const id = properties.sessionID ?? info?.id;
      if (typeof id !== 'string') return;
      if (type === 'session.created' || type === 'session.updated') {
        // Those that were begun in another process are only updated in this one.
        if (typeof info?.parentID === 'string') sessions.isBelow(id, info.parentID);
      } else if (
        type === 'session.idle' ||
        (type === 'session.status' && status?.type === 'idle')
      ) {
        const session = sessions.rests(id);
        if (session !== null && session.parent !== null) await end('subagent-end', session);
      } else if (type === 'session.deleted') {
        const session = sessions.ends(id);
        await end(session.parent === null ? 'session-end' : 'subagent-end', session);
      }
    },
    async 'tool.execute.before'({ tool, sessionID }, { args }) {
      const session = sessions.callerOf(sessionID);
      // Events are not waited for: what a sub-agent had is its session's first.
      await endings;
      const input = understand({ tool_name: tool, tool_input: args, cwd: directory }, host);
      const decision = await decide(input, { ...shared, session, yielding: sessions.resting });
      if (decision.kind === 'deny') throw new Error(decision.reason);
    },
  };
}
