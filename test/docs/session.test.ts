import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ROOT, read } from '../support/docs-pages.js';
import { needs } from '../support/tools.js';

interface Run {
  text: string;
  color: number | null;
}
interface Terminal {
  title: string;
  rows: Run[][];
}
interface Session {
  COLUMNS: number;
  recordSession(): Promise<Terminal[]>;
  drawSession(terminals: Terminal[], columns: number): string;
}

const load = (file: string) => import(pathToFileURL(join(ROOT, 'scripts', file)).href);
const { COLUMNS, drawSession, recordSession }: Session = {
  ...(await load('record-session.mjs')),
  ...(await load('session-svg.mjs')),
};
const PICTURE = read('docs/session.svg');

const numbersIn = (text: string): number[] => text.match(/[\d.]+/g)?.map(Number) ?? [];

/** The texts of a picture that do not lie within its `viewBox`. */
function cutOff(svg: string): string[] {
  const [, , width = 0, height = 0] = numbersIn(/viewBox="([^"]+)"/.exec(svg)?.[1] ?? '');
  const texts = [...svg.matchAll(/<text([^>]*)>([^<]*)</g)];
  return texts.flatMap(([, attributes = '', text = '']) => {
    const of = (name: string) => Number(new RegExp(`\\b${name}="([\\d.]+)"`).exec(attributes)?.[1]);
    // A title has the width of its font, which nobody knows: it is far from the edge.
    const length = attributes.includes('"title"') ? text.length * 15 : of('textLength');
    const isInside = of('x') >= 0 && of('x') + length <= width && of('y') > 15 && of('y') < height;
    return isInside ? [] : [text];
  });
}

/** Without what differs from run to run. */
function withoutPids(svg: string): string {
  return svg
    .replaceAll(/\b(pid|kill -9) \d+/g, '$1 PID')
    .replaceAll(/ textLength="\d+"/g, '')
    .replaceAll(/, for \d+s/g, '');
}

describe('the picture of the session', () => {
  needs('python3')('is well-formed XML', () => {
    const parse =
      'import sys, xml.dom.minidom; xml.dom.minidom.parseString(sys.stdin.buffer.read())';
    const check = (input: string) => spawnSync('python3', ['-c', parse], { input }).status;
    expect(check(PICTURE)).toBe(0);
    const hostile = [{ title: '<&>', rows: [[{ text: `a<b> & "c"]]>`, color: 2 }]] }];
    expect(check(drawSession(hostile, 20))).toBe(0);
    expect(check(PICTURE.replace('</g>', ''))).not.toBe(0);
  });

  test('cuts off no text, in whichever font', () => {
    expect(PICTURE.match(/<text/g)?.length).toBeGreaterThan(10);
    expect(cutOff(PICTURE)).toEqual([]);
    const row = [{ text: 'x'.repeat(COLUMNS), color: null }];
    expect(cutOff(drawSession([{ title: 'T', rows: [row] }], COLUMNS))).toEqual([]);
    expect(cutOff(drawSession([{ title: 'T', rows: [row] }], COLUMNS - 4))).toEqual([row[0]?.text]);
  });

  test('has the colors of a light and of a dark page', () => {
    expect(PICTURE).toContain('@media (prefers-color-scheme: dark)');
  });

  needs('script')(
    'shows what the commands print today',
    { tags: ['long'], timeout: 120_000 },
    async () => {
      const today = drawSession(await recordSession(), COLUMNS);
      expect(withoutPids(today)).toBe(withoutPids(PICTURE));
    },
  );
});
