// dist/hook.cjs: the program that hosts run, and the module that opencode loads.
import { runHook } from './hook-main.js';
import { LOADED_BY_PLUGIN } from './opencode.js';

export { opencodeHooks } from './opencode.js';

// Not the other way round: a hook that wrongly believes it was imported lets
// every write through.
if (!Reflect.has(globalThis, LOADED_BY_PLUGIN)) {
  // After this file: what is loaded late needs it whole.
  void Promise.resolve()
    .then(() => runHook(process.argv.slice(2)))
    .then(
      (status) => process.exit(status),
      (error) => {
        process.stderr.write(`holdfast: ${error?.stack ?? error}\n`);
        process.exit(70);
      },
    );
}
