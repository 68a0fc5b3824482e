import { createRequire } from 'node:module';
import { checkAgent } from '../claims/claim-file.js';
import { findSessionProcess, nameOf } from '../claims/identity.js';
import { ownerOfDefault } from '../claims/repository.js';
import { markOf } from '../claims/session.js';
import { viewOf } from '../holders/ancestors.js';
import { AgentClaims } from '../mcp/agent-claims.js';
import { serve } from '../mcp/serve.js';
import type { Session } from '../mcp/session.js';
import { programName, sessionProcess } from '../mcp/session-process.js';
import { AGENT_HOSTS } from './agent-hosts.js';
import { claimsIn, folderFrom, fromEnvironment } from './claim-options.js';
import { EXIT, Exit, exitCodeOf, messageOf, usageError } from './exit-codes.js';
import { parseMixed, TEXT } from './options.js';
import { type Streams, say } from './streams.js';

export const OPTIONS = { dir: TEXT, root: TEXT, agent: TEXT } as const;

/** `holdfast mcp`. */
export async function mcp(argv: string[], streams: Streams): Promise<number> {
  const { values, positionals } = parseMixed(argv, OPTIONS, 'mcp');
  const [word] = positionals;
  if (word !== undefined) throw usageError(`unexpected argument '${word}'`, 'mcp');
  const { version } = createRequire(import.meta.url)('../../package.json');
  await serve(agentClaims(values), { version, say: (message) => say(streams, message) });
  return EXIT.ok;
}

function agentClaims({ dir, root, agent }: Record<string, unknown>): AgentClaims {
  try {
    const directory = folderFrom((dir as string | undefined) ?? fromEnvironment('HOLDFAST_CLAIMS'));
    const place = {
      claimsHere: claimsIn(directory, root as string | undefined),
      // As for hooks, the default folder of a repository says nothing about
      // paths of others.
      hasFolder: directory !== '' && ownerOfDefault(directory) === null,
    };
    return new AgentClaims(place, sessionOf(agent as string | undefined));
  } catch (error) {
    const code = exitCodeOf(error);
    if (error instanceof Exit || code === EXIT.software) throw error;
    if (code === EXIT.usage) throw usageError((error as Error).message, 'mcp');
    throw new Exit(code, messageOf(error));
  }
}

/**
 * A given name is one session's, whatever the process. What it claims ends with
 * the session's process all the same, unless that serves several sessions.
 */
function sessionOf(given: string | undefined): Session {
  const name = given || process.env['HOLDFAST_AGENT'] || null;
  const agent = name === null ? null : checkAgent(name, '--agent');
  const found = findSessionProcess(AGENT_HOSTS, process.ppid);
  // Seen from another container, a claim lives by its expiry: it is renewed.
  if (found?.isShared === true) return { agent, binding: { keepAlive: true } };
  const pid = found?.mark.pid ?? sessionProcess();
  const mark = found?.mark ?? markOf(pid) ?? { pid, start: '', boot: '', namespace: '' };
  const host = found?.host ?? programName(viewOf(pid));
  return { agent: agent ?? nameOf({ host, mark }), binding: { session: { pid }, keepAlive: true } };
}
