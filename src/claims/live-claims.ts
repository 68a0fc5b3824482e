import { clearInterval, setInterval, setTimeout } from 'node:timers';
import { POLL_MILLISECONDS, watchFolder } from './changes.js';
import { HeldClaim, type HeldClaimParts } from './held-claim.js';
import type { Found } from './model.js';
import { isWantName } from './want-file.js';

// Changes seldom come alone, so collect them.
const SETTLING_MILLISECONDS = 10;

/** The claims of one folder that this process holds. Watches their files. */
export class LiveClaims {
  readonly #directory: string;
  readonly #claims = new Map<string, HeldClaim>();
  #unwatch: (() => void) | undefined;
  #checking = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Starts a claim that was granted; one of the same agent is lost. */
  start(parts: Omit<HeldClaimParts, 'ended'>): HeldClaim {
    const { agent } = parts.claim;
    const old = this.#claims.get(agent);
    const claim = new HeldClaim({ ...parts, ended: (ended) => this.#forget(agent, ended) });
    this.#claims.set(agent, claim);
    old?.lose('its agent has made a new claim');
    this.#unwatch ??= this.#watch();
    return claim;
  }

  /** Goes on with a claim that was extended or shrunk; starts it if another process began it. */
  goOn(found: Found, parts: Omit<HeldClaimParts, 'ended'>): { claim: HeldClaim; isNew: boolean } {
    const own = this.ownerOf(found);
    if (own === undefined) return { claim: this.start(parts), isNew: true };
    own.goOn(parts);
    return { claim: own, isNew: false };
  }

  /** Ends a claim of which nothing is left. What is returned is not held. */
  end(found: Found | null, parts: Omit<HeldClaimParts, 'ended'>): HeldClaim {
    const own = this.#claims.get(parts.claim.agent);
    const claim =
      found !== null && own?.wrote(found) === true
        ? own
        : new HeldClaim({ ...parts, keepAlive: false, ended: () => {} });
    claim.end();
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
      void this.#check();
    };
    const unwatchFolder = watchFolder(this.#directory, { persistent: false }, (name) => {
      if (name !== null && isWantName(name)) return;
      if (!scheduled) setTimeout(check, SETTLING_MILLISECONDS).unref();
      scheduled = true;
    });
    const timer = setInterval(check, POLL_MILLISECONDS).unref();
    return () => {
      clearInterval(timer);
      unwatchFolder();
    };
  }

  /** Looks at the claims whose files have changed, all under one lock. */
  async #check(): Promise<void> {
    if (this.#checking) return;
    const changed = [...this.#claims.values()].filter((claim) => claim.hasChanged());
    const [first] = changed;
    if (first === undefined) return;
    this.#checking = true;
    try {
      const looked = await first.folder.shared(() => {
        for (const claim of changed) claim.check();
        return true;
      });
      if (looked === null) for (const claim of changed) claim.lose('its folder was removed');
    } catch {
      // Only a look under the lock can decide whether they are lost: the next one does.
    } finally {
      this.#checking = false;
    }
  }

  #forget(agent: string, claim: HeldClaim): void {
    if (this.#claims.get(agent) !== claim) return;
    this.#claims.delete(agent);
    if (this.#claims.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}
