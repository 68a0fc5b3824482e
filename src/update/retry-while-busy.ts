import { sleep } from '../base/timers.js';

// The errors of Windows while somebody has the file open: a reader, a virus
// scanner.
const BUSY = ['EPERM', 'EBUSY', 'EACCES'];
const LONGEST_PAUSE_MILLISECONDS = 50;

/**
 * Retries what Windows refuses while somebody reads the file, for as long as
 * `patience` allows. Elsewhere a refusal is final.
 */
export async function retryWhileBusy(
  attempt: () => void,
  patience: () => number,
  platform: string = process.platform,
): Promise<void> {
  for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MILLISECONDS)) {
    try {
      return attempt();
    } catch (error) {
      const isBusy = BUSY.includes((error as NodeJS.ErrnoException).code ?? '');
      const left = patience();
      if (platform !== 'win32' || !isBusy || left <= 0) throw error;
      await sleep(Math.min(pause, left), undefined);
    }
  }
}
