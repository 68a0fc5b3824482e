import { errnoOf } from '../../src/base/errno.js';
import { checkRequest, type FileLockOptions, type Request } from '../../src/lock/options.js';
import {
  CONTENT,
  ID,
  IS_REMOTE,
  type NativeBinding,
  type NativeMode,
  OPENED,
  REFUSED,
  REPLACED,
  TAKE_STEPS,
  TOKEN,
  TRAITS,
} from '../../src/native/binding.js';

type Name = keyof NativeBinding;

const STALE = errnoOf('ESTALE');
const NO_WAIT = errnoOf('EBADF');
const WOULD_BLOCK = errnoOf('EWOULDBLOCK');
const MODE_BITS = 3;

/**
 * `take` and `begin` as a series of the other calls, each of which a test can
 * replace. What comes after the comparison is left to TypeScript.
 */
function inSteps(
  native: NativeBinding,
): Pick<NativeBinding, 'take' | 'begin' | 'beginWhenGranted'> {
  const results = native.results();
  const failed = (step: (typeof TAKE_STEPS)[number], errno: number): number =>
    TAKE_STEPS.indexOf(step) * 4096 + errno;
  const begin: NativeBinding['begin'] = (id, wish) => {
    const errno = native.finishWaiting(id, (wish & MODE_BITS) as NativeMode);
    if (errno !== 0 && errno !== NO_WAIT) return failed('flock', errno);
    const size = native.compare(id);
    if (size === -STALE) {
      native.release(id);
      return REPLACED;
    }
    if (size < 0) return failed('stat', -size);
    results.set([0, 0, size], TOKEN);
    return CONTENT;
  };
  const take: NativeBinding['take'] = (path, permissions, wish, data) => {
    const id = native.open(path, permissions);
    if (id < 0) return id;
    results[ID] = id;
    results[TRAITS] = native.traits(id);
    if ((results[TRAITS] & IS_REMOTE) !== 0) return OPENED;
    const errno = native.tryLock(id, (wish & MODE_BITS) as NativeMode);
    if (errno === WOULD_BLOCK) return REFUSED;
    return errno === 0 ? begin(id, wish, data) : failed('flock', errno);
  };
  // Or the addon would begin it in one call.
  const beginWhenGranted = (): void => {};
  return { take, begin, beginWhenGranted };
}

/** A checked call; some of its system calls are answered by `replace` instead. */
export function requestWith(
  path: string,
  options: FileLockOptions<object>,
  replace: (native: NativeBinding) => Partial<NativeBinding>,
): Request {
  const request = checkRequest(path, options, Number.POSITIVE_INFINITY);
  const { native } = request;
  const replaced: NativeBinding = Object.assign(Object.create(native), replace(native));
  return { ...request, native: Object.assign(replaced, inSteps(replaced)) };
}

/** The same, and its system calls are counted. */
export function countingRequest(
  path: string,
  options: FileLockOptions<object>,
  replace: (native: NativeBinding) => Partial<NativeBinding> = () => ({}),
): { request: Request; calls: (name: Name) => number; native: NativeBinding } {
  const checked = checkRequest(path, options, Number.POSITIVE_INFINITY);
  const { native } = checked;
  const counts = new Map<string | symbol, number>();
  const replaced = replace(native);
  const steps: Partial<NativeBinding> = {};
  // What is set on it reaches the addon: its callback is one per thread.
  const counting: NativeBinding = new Proxy(native, {
    get(target, name: Name) {
      const own = replaced[name] ?? steps[name as 'take'] ?? target[name];
      if (typeof own !== 'function') return own;
      return (...args: unknown[]) => {
        counts.set(name, (counts.get(name) ?? 0) + 1);
        return (own as (...args: unknown[]) => unknown)(...args);
      };
    },
  });
  Object.assign(steps, inSteps(counting));
  const request = { ...checked, native: counting };
  return { request, native, calls: (name) => counts.get(name) ?? 0 };
}
