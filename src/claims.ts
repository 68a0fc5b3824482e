export type { Claim } from './claims/claim.js';
export { type ClaimOptions, Claims } from './claims/claims.js';
export { ClaimConflictError, ClaimInvalidError } from './claims/errors.js';
export type {
  ClaimRequest,
  ClaimState,
  ClaimStatus,
  Conflict,
  Entry,
  PathVerdict,
  Plan,
  Resolution,
} from './claims/types.js';
