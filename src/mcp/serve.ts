import { setTimeout } from 'node:timers/promises';
import type { AgentClaims } from './agent-claims.js';
import { addResource } from './resource.js';
import { McpServer, serveStdio } from './sdk.js';
import { addTools } from './tools.js';

const INSTRUCTIONS =
  'Before you change files, call "claim" with their paths, and call "release" for what you no longer need: other agents work on the same tree. If a claim is refused, do not change these paths; follow one of the resolutions in the answer, wait with "wait_seconds", or do other work.';

// Whatever is left then ends with the session's process.
const RELEASE_MILLISECONDS = 2000;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export interface ServeOptions {
  version: string;
  /** For what is no answer: standard output belongs to the protocol. */
  say: (message: string) => void;
}

/**
 * Serves MCP on standard input and output. Resolves when the host has closed
 * the input, or asked by a signal, and what was claimed here is released.
 */
export async function serve(own: AgentClaims, { version, say }: ServeOptions): Promise<void> {
  const ended = new AbortController();
  const tell = (...words: unknown[]): void => say(words.map(String).join(' '));
  // A stray line on standard output would break the protocol.
  console.log = console.info = console.debug = console.warn = console.error = tell;
  const connection = serveStdio(
    ({ era }) => {
      const server = new McpServer(
        { name: 'holdfast', title: 'Holdfast', version },
        {
          instructions: INSTRUCTIONS,
          capabilities: { resources: { subscribe: true } },
        },
      );
      addTools(server, own);
      addResource(server, own, { ended: ended.signal, tellsAll: era === 'modern' });
      return server;
    },
    { onerror: ({ message }) => say(message) },
  );
  await closed();
  ended.abort();
  // A call that waits must not keep the server: nobody would read its answer.
  await Promise.race([own.end(), setTimeout(RELEASE_MILLISECONDS)]).catch(({ message }) =>
    say(`what was claimed here is not released: ${message}`),
  );
  void connection.close();
}

/** The host has closed the input or the output, or wants this process to end. */
function closed(): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => resolve();
    process.stdin.once('end', done).once('close', done).once('error', done);
    process.stdout.once('error', done);
    for (const signal of SIGNALS) process.once(signal, done);
  });
}
