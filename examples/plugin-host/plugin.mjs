import { join } from 'node:path';
import { Election } from 'holdfast/election';
import { append, lastTick } from './log.mjs';

/** A second of ticks: far more than what passes while the primary changes. */
const REMEMBERED = 200;

/**
 * The plugin. Every instance runs this same code and is given every tick of the
 * host; only the primary writes them to the log. `onPrimary` is for the host.
 */
export async function startPlugin(id, folder, { onPrimary }) {
  const log = join(folder, 'plugin.log');
  const recent = [];
  let written = 0;
  const election = await Election.join(join(folder, 'memory/.plugin-instances'), {
    id,
    settle: 150,
  });

  /** Synchronous: nothing of it is still under way when the primacy has ended. */
  function writeRecent() {
    for (const number of recent.splice(0)) {
      if (number <= written) continue;
      append(log, { number, id, term: election.term });
      written = number;
    }
  }

  election.on('primary', (term) => {
    // What the one before has written is not written again, what it has not is made up for.
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
