#!/usr/bin/env node
import { instanceLocker } from 'holdfast/instance';
import { runWatcher } from './runner.mjs';

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || folder === '' || folder.startsWith('-') || rest.length > 0) {
  console.error('watcher: usage: watcher FOLDER');
  process.exit(64);
}
try {
  await runWatcher(folder, {
    // The file holds the pid alone: kill $(cat prompts/.watcher.lock)
    locker: instanceLocker({ record: 'pid' }),
    say: (text) => console.log(`watcher: ${text}`),
  });
} catch (error) {
  console.error(`watcher: error: ${error.message}`);
  process.exitCode = 1;
}
