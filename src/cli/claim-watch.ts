import { clearInterval, setInterval } from 'node:timers';
import { type Board, boardLines, changeLine, changesBetween } from './claim-board.js';
import type { ClaimArguments } from './claim-options.js';
import { warnIfMissing } from './claim-show.js';
import { EXIT } from './exit-codes.js';
import { print, type Streams, widthOf } from './streams.js';
import { clockTime } from './time.js';

// Ages go on without a change.
const REDRAW_MILLISECONDS = 10_000;
const MOST_RECENT = 8;
const CLEAR = '\x1b[H\x1b[2J';

/**
 * `holdfast claim watch`, until it is interrupted: the board on a terminal;
 * elsewhere a line for each change, with --json an object for each.
 */
export async function watch({ claims, json }: ClaimArguments, streams: Streams): Promise<number> {
  warnIfMissing(claims.directory, streams);
  const isDrawn = streams.stdout.isTTY === true && !json;
  let board: Board = { statuses: [], waits: [] };
  let recent: string[] = [];
  const draw = (): void => {
    // Read each time: a window may change its size.
    const lines = boardLines(board, recent, widthOf(streams.stdout));
    print(streams, `${CLEAR}${lines.join('\n')}`);
  };
  const timer = isDrawn ? setInterval(draw, REDRAW_MILLISECONDS) : undefined;
  try {
    let isFirst = true;
    for await (const statuses of claims.watch()) {
      const next: Board = { statuses, waits: await claims.waits() };
      const changes = changesBetween(board, next);
      const at = new Date();
      board = next;
      if (isDrawn) {
        // What the board shows from the beginning has not just happened.
        const lines = isFirst ? [] : changes.map((each) => `${clockTime(at)} ${changeLine(each)}`);
        recent = [...recent, ...lines].slice(-MOST_RECENT);
        draw();
      } else if (json) {
        print(
          streams,
          changes.map((each) => JSON.stringify({ at, ...each })),
        );
      } else {
        print(
          streams,
          changes.map((each) => `${clockTime(at)} ${changeLine(each)}`),
        );
      }
      isFirst = false;
    }
  } finally {
    clearInterval(timer);
  }
  return EXIT.ok;
}
