#!/usr/bin/env node
import { instanceLocker } from 'holdfast/instance';
import { runWatcher } from './runner.mjs';

const [folder = 'prompts', ...rest] = process.argv.slice(2);
if (folder === '' || folder.startsWith('-') || rest.length > 0) {
  console.error('watcher: usage: watcher [FOLDER]');
  process.exit(64);
}
try {
  await runWatcher(folder, {
    // The file holds the pid alone: kill $(cat prompts/.watcher.lock)
    locker: instanceLocker({ record: 'pid' }),
    say: log,
  });
} catch (error) {
  log(`error: ${error.message}`);
  process.exitCode = 1;
}

/** A line of a daemon's log, as Go's `log` prints it: on stderr, in local time. */
function log(text) {
  const now = new Date();
  const two = (number) => String(number).padStart(2, '0');
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('/');
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':');
  console.error(`${date} ${time} watcher: ${text}`);
}
