// npm run docs:session
//
// Runs the session that the README shows, in two real terminals, and draws what
// they show into docs/session.svg.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import headless from '@xterm/headless';
import { drawSession } from './session-svg.mjs';

const COMMAND = fileURLToPath(new URL('../dist/cli/holdfast.js', import.meta.url));
const PICTURE = fileURLToPath(new URL('../docs/session.svg', import.meta.url));
// A refusal then wraps between words, and the text stays legible on a phone.
export const COLUMNS = 59;
const ROWS = 24;
const PROMPT = '$ ';
const LIMIT = 60_000;

/** A project in which `npx holdfast` is the command of this tree. */
function projectIn(folder) {
  const bin = join(folder, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{}\n');
  const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;
  const words = [process.execPath, COMMAND].map(quote).join(' ');
  writeFileSync(join(bin, 'holdfast'), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  // An interactive sh reads it; from the environment not every sh takes PS1.
  writeFileSync(join(folder, '.shrc'), "PS1=$(printf '\\033[32m$\\033[0m ')\n");
}

/** That of a shell which a person opens: nothing of an `npm run` around this. */
function environmentIn(folder) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  return {
    ...Object.fromEntries(inherited),
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    ENV: join(folder, '.shrc'),
    TERM: 'xterm-256color',
    LC_ALL: 'C',
    npm_config_update_notifier: 'false',
  };
}

/** A shell on a pseudoterminal, and the screen that a person sees. */
class Terminal {
  #screen = new headless.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
  #script;
  #shown = () => {};

  constructor(folder) {
    // script(1) makes the pseudoterminal. Without a terminal of its own it has no size.
    const shell = `stty cols ${COLUMNS} rows ${ROWS}; exec sh -i`;
    this.#script = spawn('script', ['-qec', shell, '/dev/null'], {
      cwd: folder,
      env: environmentIn(folder),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#script.stdout.on('data', (bytes) => this.#screen.write(bytes, () => this.#shown()));
  }

  /** The rows that are not empty, each a list of `{ text, color }`. */
  rows() {
    const buffer = this.#screen.buffer.active;
    const rows = [];
    for (let y = 0; y <= buffer.baseY + buffer.cursorY; y++) rows.push(runsOf(buffer.getLine(y)));
    // The prompt that waits for the next command says nothing.
    if (textOf(rows.at(-1)) === PROMPT) rows.pop();
    return rows;
  }

  text() {
    return this.rows().map(textOf).join('\n');
  }

  /** The line of the prompt where the cursor is; -1: a command runs. */
  #promptLine() {
    const { cursorX, cursorY, baseY } = this.#screen.buffer.active;
    const line = baseY + cursorY;
    const text = this.#screen.buffer.active.getLine(line)?.translateToString(true);
    return cursorX === PROMPT.length && text?.trim() === PROMPT.trim() ? line : -1;
  }

  /** Resolves when the shell waits for a command, on a line after `line`. */
  async prompt(line = -1) {
    const signal = AbortSignal.timeout(LIMIT);
    while (this.#promptLine() <= line) {
      await new Promise((resolve, reject) => {
        this.#shown = resolve;
        signal.onabort = () => reject(new Error(`no prompt after:\n${this.text()}`));
      });
    }
  }

  /** Types a command and waits for its end. */
  async run(command) {
    const line = this.#promptLine();
    this.#script.stdin.write(`${command}\r`);
    await this.prompt(line);
  }

  async close() {
    if (this.#script.exitCode !== null || this.#script.signalCode !== null) return;
    const ended = once(this.#script, 'exit');
    // That closes the pseudoterminal, so the shell and its command get SIGHUP.
    this.#script.kill('SIGKILL');
    await ended;
    this.#screen.dispose();
  }
}

/** The text of a row, cut where the color changes. */
function runsOf(line) {
  const runs = [];
  const length = line.translateToString(true).length;
  for (let x = 0; x < length; x++) {
    const cell = line.getCell(x);
    const color = cell.isFgPalette() ? cell.getFgColor() : null;
    const last = runs.at(-1);
    if (last?.color === color) last.text += cell.getChars() || ' ';
    else runs.push({ text: cell.getChars() || ' ', color });
  }
  return runs;
}

const textOf = (row) => row.map(({ text }) => text).join('');

/** Resolves when `sleep` itself has the lock. */
async function untilHeldBy(path, command) {
  const { watchLock } = await import('../dist/index.js');
  for await (const { holders } of watchLock(path, { signal: AbortSignal.timeout(LIMIT) })) {
    if (holders[0]?.command === command) return;
  }
}

/** Runs the session; the terminals, each `{ title, rows }`. */
export async function recordSession() {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-session-'));
  const terminals = [];
  const open = async () => {
    const terminal = new Terminal(folder);
    terminals.push(terminal);
    await terminal.prompt();
    return terminal;
  };
  try {
    projectIn(folder);
    const [first, second] = [await open(), await open()];
    const killed = first.run('npx holdfast run -F -n x.lock sleep 60');
    killed.catch(() => {}); // until it is awaited below
    await untilHeldBy(join(folder, 'x.lock'), 'sleep 60');
    await second.run('npx holdfast run -n x.lock echo mine');
    const pid = /is held by pid (\d+)/.exec(second.text())?.[1];
    if (pid === undefined) throw new Error(`not refused:\n${second.text()}`);
    await second.run(`kill -9 ${pid}`);
    await killed;
    await second.run('npx holdfast run -n x.lock echo mine');
    return [
      { title: 'Terminal 1', rows: first.rows() },
      { title: 'Terminal 2', rows: second.rows() },
    ];
  } finally {
    await Promise.all(terminals.map((terminal) => terminal.close()));
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const terminals = await recordSession();
  writeFileSync(PICTURE, drawSession(terminals, COLUMNS));
  for (const { title, rows } of terminals)
    console.log(`${title}\n${rows.map(textOf).join('\n')}\n`);
}
