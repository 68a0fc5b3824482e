import { setTimeout } from 'node:timers/promises';
import type { AgentClaims } from './agent-claims.js';
import { claimFacts } from './answers.js';
import type { McpServer } from './sdk.js';

export const CLAIMS_URI = 'holdfast://claims';
const RETRY_MILLISECONDS = 1000;

export interface ResourceOptions {
  /** The server has ended. */
  ended: AbortSignal;
  /**
   * Subscriptions of this connection are not told to the server: it tells every
   * change, and the connection passes on what was subscribed to. So from the
   * protocol's revision 2026-07-28 on.
   */
  tellsAll: boolean;
}

/** All claims as JSON. Whoever subscribes is told of each change. */
export function addResource(
  server: McpServer,
  own: AgentClaims,
  { ended, tellsAll }: ResourceOptions,
): void {
  server.registerResource(
    'claims',
    CLAIMS_URI,
    {
      title: 'Claims',
      description: 'Which agent has what, as JSON.',
      mimeType: 'application/json',
    },
    async ({ href }) => {
      const { claims } = own;
      const facts = { root: claims.root, claims: (await claims.list()).map(claimFacts) };
      const text = JSON.stringify(facts, null, 2);
      return { contents: [{ uri: href, mimeType: 'application/json', text }] };
    },
  );
  const closed = new AbortController();
  server.server.onclose = () => closed.abort();
  const until = AbortSignal.any([ended, closed.signal]);
  if (tellsAll) {
    void watch(server, own, until);
    return;
  }
  let watching: AbortController | undefined;
  server.server.setRequestHandler('resources/subscribe', ({ params: { uri } }) => {
    if (uri === CLAIMS_URI && watching === undefined) {
      watching = new AbortController();
      void watch(server, own, AbortSignal.any([watching.signal, until]));
    }
    return {};
  });
  server.server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
    if (uri === CLAIMS_URI) {
      watching?.abort();
      watching = undefined;
    }
    return {};
  });
}

async function watch(server: McpServer, own: AgentClaims, signal: AbortSignal): Promise<void> {
  let isFirst = true;
  while (!signal.aborted) {
    try {
      for await (const _ of own.claims.watch({ signal })) {
        if (!isFirst) await server.server.sendResourceUpdated({ uri: CLAIMS_URI });
        isFirst = false;
      }
    } catch {
      // Ended, or the folder cannot be read now, or there is none.
      await setTimeout(RETRY_MILLISECONDS, undefined, { signal }).catch(() => {});
    }
  }
}
