import { oneLine } from './holder.js';

/** A process warning of type `HoldfastWarning`; `code` is `HOLDFAST_…`. */
export function emitHoldfastWarning(code: string, message: string, detail?: string): void {
  process.emitWarning(oneLine(message), {
    type: 'HoldfastWarning',
    code,
    ...(detail && { detail }),
  });
}
