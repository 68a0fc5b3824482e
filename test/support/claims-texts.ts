import { formatClaim } from '../../src/claims/claim-text.js';
import type { ClaimPart } from '../../src/claims/model.js';
import { scopeOf } from '../../src/claims/scope.js';
import { ROOT, read } from './claims-patterns.js';

export const AGENT = 'api';
const PLAIN = 'a b ab A aB a* *b ** ? a?b .a ..a [id] a-b :a a: a.ts *.ts b.js a.'.split(' ');
const ODD = '\\* a\\b é e\u0301 É ß ſ K \u212a "q" a, \u{1F600} \ud800'.split(' ');

type Next = (below: number) => number;

export const pick = <T>(list: readonly T[], next: Next): T => list[next(list.length)] as T;

function generateText(next: Next, names: string[]): string {
  // Most begin alike: the others differ at the first character.
  const start = next(4) === 0 ? [] : ['src', pick(['lib', 'test', 'l*', 'LIB'], next)];
  const length = next(4) + (start.length === 0 ? 1 : 0);
  const rest = Array.from({ length }, () => pick(names, next));
  return `${[...start, ...rest].join('/')}${next(4) === 0 ? '/' : ''}`;
}

export function generateTexts(next: Next): string[] {
  const names = next(4) === 0 ? [...PLAIN, ...ODD] : PLAIN;
  const one = (): string => (next(60) === 0 ? '.' : generateText(next, names));
  return Array.from({ length: 1 + next(3) }, one);
}

export function claimText(next: Next, root = ROOT): string {
  const lockedAt = new Date(1.7e12 + next(1e6) * 1e6);
  return formatClaim({
    agent: AGENT,
    id: 'an-id',
    parts: Array.from({ length: next(3) === 0 ? 1 + next(3) : 1 }, () =>
      scopeOf(
        generateTexts(next).map((each) => read(each, root)),
        next(3) === 0 ? generateTexts(next).map((each) => read(each, root)) : [],
      ),
    ).flatMap(({ parts }) => parts.map((part) => ({ ...part, ...claimedBy(next) }))),
    task: pick([null, 'to do', 'to do', '', 'a "task"', 'é'], next),
    lockedAt,
    expiresAt: new Date(lockedAt.getTime() + next(1e6) * 1000),
    bound: next(4) === 0 ? { pid: 1 + next(99_999), start: '123' } : null,
    session:
      next(4) === 0 ? { pid: 1 + next(99_999), start: '1', boot: 'b-1', namespace: '4' } : null,
    parent: next(9) === 0 ? 'parent' : null,
  });
}

function claimedBy(next: Next): Pick<ClaimPart, 'by' | 'tree' | 'touched'> {
  if (next(3) > 0) return { by: pick(['hand', 'hand', 'mcp'], next), tree: null, touched: null };
  return { by: 'hook', tree: '/tree', touched: new Date(1.7e12) };
}
