import { checkRequest, type FileLockOptions, type Request } from '../../src/lock/options.js';
import type { NativeBinding } from '../../src/native/binding.js';

type Name = keyof NativeBinding;

/**
 * A checked call whose system calls are counted, and some of them answered by
 * `replace` instead.
 */
export function countingRequest(
  path: string,
  options: FileLockOptions<object>,
  replace: (native: NativeBinding) => Partial<NativeBinding> = () => ({}),
): { request: Request; calls: (name: Name) => number; native: NativeBinding } {
  const checked = checkRequest(path, options, Number.POSITIVE_INFINITY);
  const { native } = checked;
  const counts = new Map<string | symbol, number>();
  const replaced = replace(native);
  // What is set on it reaches the addon: its callback is one per thread.
  const counting = new Proxy(native, {
    get(target, name: Name) {
      const own = replaced[name] ?? target[name];
      if (typeof own !== 'function') return own;
      return (...args: unknown[]) => {
        counts.set(name, (counts.get(name) ?? 0) + 1);
        return (own as (...args: unknown[]) => unknown)(...args);
      };
    },
  });
  const request = { ...checked, native: counting };
  return { request, native, calls: (name) => counts.get(name) ?? 0 };
}
