import { page as claim } from './claim.js';
import { page as add } from './claim-add.js';
import { page as audit } from './claim-audit.js';
import { page as bypass } from './claim-bypass.js';
import { page as check } from './claim-check.js';
import { page as clear } from './claim-clear.js';
import { page as guard } from './claim-guard.js';
import { page as hook } from './claim-hook.js';
import { page as installHook } from './claim-install-hook.js';
import { page as list } from './claim-list.js';
import { page as claimPlan } from './claim-plan.js';
import { page as prune } from './claim-prune.js';
import { page as release } from './claim-release.js';
import { page as renew } from './claim-renew.js';
import { page as claimRun } from './claim-run.js';
import { page as setAside } from './claim-set-aside.js';
import { page as wait } from './claim-wait.js';
import { page as watch } from './claim-watch.js';
import { page as completion } from './completion.js';
import { page as doctor } from './doctor.js';
import { page as elect } from './elect.js';
import { page as electStatus } from './elect-status.js';
import { page as holdfast } from './holdfast.js';
import { page as mcp } from './mcp.js';
import { page as nextId } from './next-id.js';
import type { Page } from './page.js';
import { page as run } from './run.js';
import { page as status } from './status.js';

/** In the order in which they are listed; the actions of `claim` as they are used. */
export const PAGES: readonly Page[] = [
  holdfast,
  run,
  status,
  claim,
  ...[add, wait, claimRun, check, list, watch, renew, release, clear, prune, setAside],
  ...[audit, claimPlan, guard, installHook, hook, bypass],
  mcp,
  nextId,
  elect,
  electStatus,
  doctor,
  completion,
];

export function pageOf(name: string): Page | undefined {
  return PAGES.find((page) => page.name === name);
}

/** The pages one word below: of `''` the subcommands, of `claim` its actions. */
export function below(parent: string): readonly Page[] {
  const prefix = parent === '' ? '' : `${parent} `;
  return PAGES.filter(({ name }) => {
    return name !== '' && name.startsWith(prefix) && !name.slice(prefix.length).includes(' ');
  });
}
