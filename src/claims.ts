export { Claims } from './claims/claims.js';
export { ClaimConflictError, ClaimInvalidError, ClaimsBusyError } from './claims/errors.js';
export type {
  Claim,
  ClaimExtension,
  ClaimOptions,
  ClaimPartStatus,
  ClaimRequest,
  ClaimState,
  ClaimStatus,
  ClaimWait,
  Conflict,
  Entry,
  PathVerdict,
  Plan,
  Resolution,
} from './claims/types.js';
