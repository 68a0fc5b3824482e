import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ROOT, read } from '../support/docs-pages.js';

interface Bench {
  BUDGETS: { what: string; most: number; unit: string }[];
  compareReadme(readme: string, page: string): string | null;
  drawChart(run: { figures: object; machine: object }): string;
  marksUpTo(most: number): number[];
}

const load = (file: string) => import(pathToFileURL(join(ROOT, 'bench', file)).href);
const { BUDGETS, compareReadme, drawChart, marksUpTo }: Bench = {
  ...(await load('budgets.mjs')),
  ...(await load('readme-figures.mjs')),
  ...(await load('chart.mjs')),
};
const README = read('README.md');
const PAGE = read('docs/performance.md');
const REPORT = read('bench/README.md');

describe('the figures of a run', () => {
  test('are those of the README', () => {
    expect(compareReadme(README, PAGE)).toBeNull();
  });

  test('are missed in a README that has others, or none', () => {
    const page = 'Costs: 4.0 µs for a lock without a record, 12 µs with the record.';
    const readme = (plain: number, json: number) =>
      `It costs ${plain} µs without a record, ${json} µs with one, the default.`;
    expect(compareReadme(readme(4, 12), page)).toBeNull();
    expect(compareReadme(readme(7, 12), page)).toContain('7 and 12 µs');
    expect(compareReadme(readme(4, 6), page)).toContain('4 and 12 µs');
    expect(compareReadme('It is fast.', page)).toContain('README.md');
    expect(compareReadme(readme(4, 12), 'It is fast.')).toContain('docs/performance.md');
  });

  test('are all there, and from one and the same commit', () => {
    const subjectIn = (text: string) => /Holdfast \d\S+ \([^)]+\)/.exec(text)?.[0];
    expect(subjectIn(PAGE)).toBeDefined();
    expect(subjectIn(REPORT)).toBe(subjectIn(PAGE));
    expect(`${PAGE}${REPORT}`).not.toMatch(/\{\{|undefined|NaN/);
    expect(PAGE).not.toContain('not measured');
  });

  test('are compared with every budget', () => {
    const missing = BUDGETS.filter(({ what, most, unit }) => {
      const row = REPORT.split('\n').find((line) => line.startsWith(`| ${what} | `));
      return row === undefined || !row.includes(`| ${most} ${unit} | `);
    });
    expect(missing).toEqual([]);
  });
});

describe('the chart', () => {
  const machine = {
    isClean: true,
    date: '2026-02-25',
    subject: 'Holdfast 10.10.10 (0123456)',
    processors: '128 × Some Processor with a Long Name @ 2.80GHz',
    system: '',
    load: '',
    software: ['Node v26.10.10', 'fs-ext 2.1.1', 'fs-native-extensions 1.5.1'],
  };
  const names = ['c', 'plain', 'cJson', 'json', 'fs-ext', 'proper-lockfile'];
  const groups = ['cycle', 'handoff one', 'start'];
  const figures = Object.fromEntries(
    groups.flatMap((group) => names.map((name, at) => [`${group} ${name}`, 0.4 + 999 * at])),
  );

  test('cuts off no text', () => {
    const svg = drawChart({ figures, machine });
    const width = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1]);
    const texts = [...svg.matchAll(/<text x="([\d.]+)" y="[\d.]+" ([^>]*)>([^<]*)</g)];
    expect(texts.length).toBeGreaterThan(30);
    const cut = texts.filter(([, x, attributes = '', content = '']) => {
      const size = Number(/font-size="(\d+)"/.exec(attributes)?.[1] ?? 13);
      const length = content.length * size * 0.62;
      const anchor = /text-anchor="(\w+)"/.exec(attributes)?.[1];
      const part = anchor === 'end' ? 1 : anchor === 'middle' ? 0.5 : 0;
      const left = Number(x) - length * part;
      return left < 0 || left + length > width;
    });
    expect(cut.map(([, , , content]) => content)).toEqual([]);
  });

  test('has an axis of round numbers from zero to beyond the longest bar', () => {
    for (const most of [0.37, 1, 3.1, 14, 99.9, 100, 720, 123_456]) {
      const marks = marksUpTo(most);
      expect(marks[0]).toBe(0);
      expect(marks.at(-1)).toBeGreaterThanOrEqual(most);
      expect(marks.at(-2)).toBeLessThan(most);
      expect(marks.length).toBeLessThanOrEqual(8);
      expect(marks.length).toBeGreaterThanOrEqual(3);
    }
  });
});
