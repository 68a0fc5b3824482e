/** A process warning of type `HoldfastWarning`; `code` is `HOLDFAST_…`. */
export function emitHoldfastWarning(code: string, message: string, detail?: string): void {
  process.emitWarning(message, { type: 'HoldfastWarning', code, ...(detail && { detail }) });
}
