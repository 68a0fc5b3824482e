import { join } from 'node:path';
import { Election } from 'holdfast/election';
import { append, lastTick } from './log.mjs';

/** One second of ticks: far longer than a change of the primary takes. */
const REMEMBERED = 200;

/**
 * The plugin. Every instance runs this code and gets every tick of the host; only
 * the primary writes ticks to the log. `onPrimary` is for the host.
 */
export async function startPlugin(id, folder, { onPrimary }) {
  const log = join(folder, 'plugin.log');
  const recent = [];
  let written = 0;
  const election = await Election.join(join(folder, 'memory/.plugin-instances'), {
    id,
    settle: 150,
  });

  /** Synchronous: no write is pending after this instance stops being primary. */
  function writeRecent() {
    for (const number of recent.splice(0)) {
      if (number <= written) continue;
      append(log, { number, id, term: election.term });
      written = number;
    }
  }

  election.on('primary', (term) => {
    // Skip what the previous primary wrote, and add what it did not.
    written = lastTick(log);
    writeRecent();
    onPrimary(term);
  });

  return {
    tick(number) {
      recent.push(number);
      if (election.isPrimary) writeRecent();
      else if (recent.length > REMEMBERED) recent.shift();
    },
    stop: () => election.leave(),
  };
}
