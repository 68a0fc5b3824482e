import { clearInterval, setInterval, setTimeout } from 'node:timers';
import { POLL_MILLISECONDS, watchFolder } from './changes.js';
import { HeldClaim, type HeldClaimParts } from './held-claim.js';
import type { Found } from './model.js';

// A change seldom comes alone.
const SETTLING_MILLISECONDS = 10;

/** The claims of one folder that this process holds. Watches their files. */
export class LiveClaims {
  readonly #directory: string;
  readonly #claims = new Map<string, HeldClaim>();
  #unwatch: (() => void) | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Starts a claim that was granted; one of the same agent is lost. */
  start(parts: Omit<HeldClaimParts, 'ended'>): HeldClaim {
    const { agent } = parts.claim;
    const old = this.#claims.get(agent);
    const claim = new HeldClaim({ ...parts, ended: (ended) => this.#forget(agent, ended) });
    this.#claims.set(agent, claim);
    old?.lose('its agent has claimed anew');
    this.#unwatch ??= this.#watch();
    return claim;
  }

  /** The claim of this process whose file was found, if there is one. */
  ownerOf(found: Found): HeldClaim | undefined {
    const own = this.#claims.get(found.agent);
    return own?.owns(found) === true ? own : undefined;
  }

  /** As long as any claim is held. */
  #watch(): () => void {
    let scheduled = false;
    const check = (): void => {
      scheduled = false;
      for (const claim of [...this.#claims.values()]) claim.check();
    };
    const unwatchFolder = watchFolder(this.#directory, { persistent: false }, () => {
      if (!scheduled) setTimeout(check, SETTLING_MILLISECONDS).unref();
      scheduled = true;
    });
    const timer = setInterval(check, POLL_MILLISECONDS).unref();
    return () => {
      clearInterval(timer);
      unwatchFolder();
    };
  }

  #forget(agent: string, claim: HeldClaim): void {
    if (this.#claims.get(agent) !== claim) return;
    this.#claims.delete(agent);
    if (this.#claims.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}
