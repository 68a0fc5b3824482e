// Claims once what the test asks for, between two marks that a tracer sees.
import { accessSync } from 'node:fs';

const { Claims } = await import(new URL('../../dist/claims.js', import.meta.url).href);
const mark = (name) => {
  try {
    accessSync(`/holdfast-${name}`);
  } catch {
    // The call only needs to appear in the trace.
  }
};

process.once('message', async ({ directory, warmUp, root, requests, waits = false }) => {
  const act = async (claims) =>
    requests.length === 1 ? [await claims.claim(requests[0])] : claims.claimAll(requests);
  /** Until it waits. */
  const wait = (claims) =>
    new Promise((resolve, reject) => {
      const options = { timeout: 60_000, onWait: () => resolve([]) };
      claims.claim(requests[0], options).catch(reject);
    });
  // Loads the modules, the addon and the identity in advance.
  const warm = new Claims(warmUp, { root });
  for (const claim of await act(warm)) await claim.release();
  const claims = new Claims(directory, { root });
  // Reads what it must know of the tree.
  claims.plan(requests);
  process.once('message', async () => {
    mark('begin');
    const held = await (waits ? wait(claims) : act(claims));
    mark('end');
    // Read, so that nothing is collected.
    process.send(held.length);
  });
  process.send('ready');
});
process.on('disconnect', () => process.exit());
