import type { ClaimStatus } from '../claims/types.js';

/** Some patterns, less others. */
export interface PartOfScope {
  scope: string[];
  except: string[];
}

/** What an agent has. */
export interface Own extends PartOfScope {
  agent: string;
  /** What the paths are relative to. */
  root: string;
  /** The same with its exceptions where they belong. */
  parts: PartOfScope[];
}

export function ownOf(agent: string, root: string, status: ClaimStatus | undefined): Own {
  return { agent, root, ...scopeOf(status?.parts ?? []) };
}

export function scopeOf(
  all: readonly { files: string[]; directories: string[]; except: string[] }[],
): Omit<Own, 'agent' | 'root'> {
  const parts = all.map(({ files, directories, except }) => ({
    scope: [...directories, ...files],
    except,
  }));
  const unique = (list: string[]): string[] => [...new Set(list)];
  return {
    parts,
    scope: unique(parts.flatMap(({ scope }) => scope)),
    except: unique(parts.flatMap(({ except }) => except)),
  };
}
