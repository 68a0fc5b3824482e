import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ClaimExtension, ClaimOptions, ClaimRequest, ClaimStatus } from '../../src/claims.js';
import { testFolder } from './folder.js';
import { forked, Remote } from './remote.js';

/** What a peer says of a claim of its own. */
export interface RemoteClaim {
  agent: string;
  files: string[];
  directories: string[];
  lockedAt: Date;
  expiresAt: Date;
  fd: number;
  aborted: boolean;
  /** The code of the signal's reason. */
  reason: string | null;
}

/** A real process that claims what the test asks for. */
export class ClaimsPeer extends Remote {
  /** One that works in `directory`. */
  static async start(directory: string, root: string): Promise<ClaimsPeer> {
    const peer = new ClaimsPeer(forked('./claims-peer.mjs'));
    await peer.event('ready');
    await peer.call('open', directory, { root });
    return peer;
  }

  static startMany(count: number, directory: string, root: string): Promise<ClaimsPeer[]> {
    return Promise.all(Array.from({ length: count }, () => ClaimsPeer.start(directory, root)));
  }

  claim(
    request: ClaimRequest,
    options?: Pick<ClaimOptions, 'timeout' | 'force'>,
  ): Promise<RemoteClaim> {
    return this.call('claim', request, options);
  }

  /** Adds to a claim that this peer holds, and takes from it. */
  extend(agent: string, request: ClaimExtension): Promise<RemoteClaim> {
    return this.call('extend', agent, request);
  }

  describe(agent: string): Promise<RemoteClaim> {
    return this.call('describe', agent);
  }

  list(): Promise<ClaimStatus[]> {
    return this.call('list');
  }

  /**
   * Once, right before a call of `fs` with a path that has `part`, someone else
   * removes a path and writes files into the folder of the claims.
   */
  meddle(
    call: { name: string; part: string; nth?: number },
    hand: { remove: string; files?: Record<string, string> },
  ): Promise<void> {
    return this.call('meddle', call, hand);
  }

  /** Starts to claim and resolves once the peer says that it has to wait. */
  waitFor(request: ClaimRequest, timeout = 20_000): Promise<{ granted: Promise<RemoteClaim> }> {
    return this.waiting(this.claim(request, { timeout }), request.agent);
  }

  /** Hands the claim's descriptor to a program, which ends with the test. Its pid. */
  async lend(agent: string): Promise<number> {
    const pid = await this.call<number>('lend', agent);
    onTestFinished(() => {
      endProcess(pid);
    });
    return pid;
  }
}

export interface Places {
  root: string;
  locks: string;
  markers: string;
}

/** A tree, its claims, and a folder for the judge's marks. */
export function places(): Places {
  const root = testFolder();
  const all = { root, locks: join(root, 'locks'), markers: join(root, 'markers') };
  mkdirSync(all.markers);
  return all;
}

/** A claim's file as a person writes it. */
export function byHand(agent: string, files: string[], seconds = 60): string {
  const time = (milliseconds: number): string =>
    `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
  const now = Date.now();
  const expires_at = time(now + seconds * 1000);
  return JSON.stringify({ agent, locked_at: time(now), files, expires_at });
}

/** SIGKILL, if it has not ended yet. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Runs all rounds of repeated tests, not only some. */
export const TORTURE = (process.env['HOLDFAST_TORTURE'] ?? '') !== '';
