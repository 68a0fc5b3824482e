export { Claims } from './claims/claims.js';
export { ClaimConflictError, ClaimInvalidError } from './claims/errors.js';
export type {
  Claim,
  ClaimOptions,
  ClaimRequest,
  ClaimState,
  ClaimStatus,
  Conflict,
  Entry,
  PathVerdict,
  Plan,
  Resolution,
} from './claims/types.js';
