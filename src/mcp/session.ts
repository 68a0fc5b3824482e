import type { ClaimRequest } from '../claims/types.js';

/** Whose claims this server makes. */
export interface Session {
  /** `null`: the host's process serves several sessions, and nothing tells them apart. */
  agent: string | null;
  /** With what its claims end. */
  binding: Partial<ClaimRequest>;
}
