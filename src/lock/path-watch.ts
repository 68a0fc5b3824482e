import { clearInterval, setInterval } from 'node:timers';
import { pathText } from '../base/paths.js';
import type { LockFile } from '../holders/lock-file.js';

// If a file is replaced at its path, those that are blocked on the old file wait
// for the wrong lock, perhaps without end, and the kernel has no reason to wake
// them. So one timer checks each file about once a second.
export const PATH_CHECK_MILLISECONDS = 1000;

/** The waits for one file. */
export interface Group {
  readonly members: Map<LockFile, () => void>;
}

const groups = new Map<string, Group[]>();
let checking: NodeJS.Timeout | undefined;

/** `onReplaced` is called when the path leads elsewhere, unless the member is deleted first. */
export function joinGroup(file: LockFile, onReplaced: () => void): Group {
  const path = pathText(file.path);
  let atPath = groups.get(path);
  if (atPath === undefined) {
    atPath = [];
    groups.set(path, atPath);
  }
  // Two waits on one path have different files if it was replaced in between.
  let group = atPath.find((each) => isSame(each, file));
  if (group === undefined) {
    group = { members: new Map() };
    atPath.push(group);
  }
  group.members.set(file, onReplaced);
  checking ??= setInterval(checkPaths, PATH_CHECK_MILLISECONDS).unref();
  return group;
}

/** A group without members accepts any file. */
function isSame({ members }: Group, file: LockFile): boolean {
  const [member] = members.keys();
  return member === undefined || member.isSame(file);
}

/** Also drops the groups without members: a grant has no time for that. */
function checkPaths(): void {
  for (const [path, atPath] of groups) {
    const waitedFor = atPath.filter(({ members }) => members.size > 0);
    if (waitedFor.length === 0) groups.delete(path);
    else groups.set(path, waitedFor);
    for (const { members } of waitedFor) {
      const [member] = members.keys();
      if (member?.isReplaced() !== true) continue;
      for (const onReplaced of [...members.values()]) onReplaced();
    }
  }
  if (groups.size > 0) return;
  clearInterval(checking);
  checking = undefined;
}
