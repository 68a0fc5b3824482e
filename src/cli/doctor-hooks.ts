import { spawnSync } from 'node:child_process';
import { hostsWithHook, type InstalledHook, installedHooks } from '../agents/install/installed.js';
import { hostAbove } from '../agents/session.js';
import { printable } from '../base/holder.js';
import { defaultPlace } from '../claims/root.js';
import { otherWorkingTrees } from '../claims/working-trees.js';
import { ownCommand } from '../native/own-command.js';
import { tableLines } from './table.js';

/** A hook in the settings of a host of agents. */
export interface HookCheck {
  host: string;
  scope: 'user' | 'project';
  file: string;
  /** `null`: the user still has to do something: trust it in the host, or install it here. */
  ok: boolean | null;
  detail: string;
}

const LIMIT_MILLISECONDS = 10_000;

/** Whether the hooks that agents in a folder would call work. */
export function checkHooks(folder: string): HookCheck[] {
  const tree = defaultPlace(folder)?.root ?? null;
  const installed = installedHooks(tree).map((each) => {
    const { host, scope, file, hint } = each;
    const problem = each.problem ?? failureOf(each);
    const detail = [problem ?? '', hint ?? ''].filter((text) => text !== '').join('; ');
    return {
      host,
      scope,
      file,
      ok: problem !== null ? false : each.isUntrusted ? null : true,
      detail,
    };
  });
  return [...installed, ...(tree === null ? [] : missingIn(tree))];
}

/**
 * Hooks that another working tree of the repository has: settings are not
 * committed, so a new tree has none, and its agents see no claims.
 */
function missingIn(tree: string): HookCheck[] {
  const here = hostsWithHook(tree);
  const elsewhere = new Map(
    otherWorkingTrees(tree).flatMap((other) =>
      [...hostsWithHook(other)].map((host) => [host, other] as const),
    ),
  );
  return [...elsewhere]
    .filter(([host]) => !here.has(host))
    .map(([host, other]) => ({
      host,
      scope: 'project',
      file: tree,
      ok: null,
      detail: `not in this working tree, but in ${printable(other)}: run ${ownCommand()} claim install-hook --for ${host} here, or once with --user`,
    }));
}

/** Runs it, without input. */
function failureOf({ probe }: InstalledHook): string | null {
  if (probe === null) return null;
  const [program, ...args] = probe;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: LIMIT_MILLISECONDS,
  });
  if (status === 0 && stdout.startsWith('ok')) return null;
  const said = stderr.trim().split('\n')[0] ?? '';
  return `it does not run: ${printable(error?.message || said || `status ${status}`)}`;
}

/** What a hook that runs from here would find. */
export function sessionAbove(): string {
  const above = hostAbove();
  if (above !== null) return `this runs in a session of ${above.host.title}, pid ${above.pid}`;
  return 'no program that runs agents is above this one';
}

/** The part of the report that is about hooks; none without a hook. */
export function hookLines(hooks: HookCheck[], session: string, width?: number): string[] {
  if (hooks.length === 0) return [];
  const rows = hooks.map(({ host, file, ok, detail }) => [
    ok === null ? '-' : ok ? 'ok' : 'FAILED',
    `the hook of ${host}`,
    [printable(file), detail].filter((each) => each !== '').join(': '),
  ]);
  const table = tableLines(rows, width === undefined ? undefined : width - 2);
  return ['hooks for claims:', ...table.map((line) => `  ${line}`), `  ${session}`];
}
