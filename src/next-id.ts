export { AmbiguousIdError, IdCounterError } from './next-id/errors.js';
export { type Create, type CreateContext, type NextId, withNextId } from './next-id/next-id.js';
export type { NextIdOptions } from './next-id/options.js';
