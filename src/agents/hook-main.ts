import { writeSync } from 'node:fs';
import { sleepSync } from '../base/timers.js';
import { loadBinding } from '../native/load.js';
import { answerTo, type Decision } from './answer.js';
import { decide, type HookOptions, type Unclaimed } from './hook.js';
import { HOSTS, isHostName } from './hosts.js';
import { readInput } from './input.js';
import { readStandardInput } from './standard-input.js';
import { watchLarge } from './watchdog.js';
import * as words from './words.js';

/** What `--help` and a wrong call say. */
export const HOOK_USAGE =
  'holdfast claim hook --for claude-code|codex|gemini|opencode|cursor [--unclaimed claim|allow|deny] [--timeout TIME] [--dir DIR] [--agent NAME]';

const USAGE = 64;
/** In milliseconds, if the host's is not given. */
const DEFAULT_TIMEOUT = 30_000;
/**
 * How long before the host's time-out the answer is given: a host whose hook
 * times out writes.
 */
const MARGIN = 1000;
/** How much of that margin this thread has to answer itself. */
const OWN_SHARE = 0.4;

interface Parsed extends HookOptions {
  timeout: number;
  /** Only shows that the hook loads: `doctor` asks for it. */
  probe: boolean;
}

/** Reads standard input, answers on the standard streams; resolves to the exit status. */
export async function runHook(argv: readonly string[]): Promise<number> {
  const parsed = parse(argv);
  if (typeof parsed === 'string') {
    write(2, `holdfast: ${parsed}; usage: ${HOOK_USAGE}\n`);
    return USAGE;
  }
  const { host, timeout } = parsed;
  if (parsed.probe) {
    loadBinding(process.cwd());
    write(1, `ok\n`);
    return 0;
  }
  const warnings: string[] = [];
  const keep = (warning: Error): void => {
    if (warning.name === 'HoldfastWarning') warnings.push(warning.message);
  };
  process.removeAllListeners('warning');
  process.on('warning', keep);
  // Since the process began: its host has waited for that long.
  const margin = Math.min(MARGIN, timeout / 2);
  const left = () => timeout - margin - process.uptime() * 1000;
  const text = readStandardInput(left);
  await watchLarge(text ?? '', () => ({
    until: timeout - margin * (1 - OWN_SHARE),
    text: `${words.tooLate(host, timeout / 1000)}\n`,
  }));
  const decision =
    text === null
      ? ({ kind: 'deny', reason: words.endless(host, timeout / 1000) } as const)
      : await inTime(decide(readInput(text, host), parsed), {
          left,
          late: () => ({ kind: 'deny', reason: words.tooLate(host, timeout / 1000) }),
        });
  // Warnings are emitted in the next tick.
  await nextTick();
  const answer = answerTo(host, withWarnings(decision, warnings));
  if (answer.stdout !== '') write(1, answer.stdout);
  if (answer.stderr !== '') write(2, answer.stderr);
  return answer.status;
}

function withWarnings(decision: Decision, warnings: readonly string[]): Decision {
  if (decision.kind === 'deny' || warnings.length === 0) return decision;
  const said = warnings.map((each) => `Holdfast: ${each}`);
  return {
    kind: 'pass',
    notice: [...said, ...(decision.notice === null ? [] : [decision.notice])].join('\n'),
  };
}

async function inTime(
  decision: Promise<Decision>,
  { left, late }: { left: () => number; late: () => Decision },
): Promise<Decision> {
  let made: Decision | undefined;
  const making = decision.then((each) => {
    made = each;
    return each;
  });
  // A decision that waits for nobody is made within this tick, and the first timer
  // of a process takes Node a millisecond.
  await nextTick();
  if (made !== undefined) return made;
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, left()));
  });
  try {
    return (await Promise.race([making, waited])) ?? late();
  } finally {
    clearTimeout(timer);
  }
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** What is wrong, or the options. Without parseArgs, which takes longer to load. */
function parse(argv: readonly string[]): Parsed | string {
  const given = new Map<string, string>();
  let probe = false;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string;
    const sign = word.indexOf('=');
    const name = sign < 0 ? word : word.slice(0, sign);
    const value = sign < 0 ? undefined : word.slice(sign + 1);
    if (name === '--probe') probe = true;
    else if (!OPTIONS.includes(name)) return `unknown argument '${word}'`;
    else {
      const text = value ?? argv[++at];
      if (text === undefined) return `${name} needs a value`;
      given.set(name, text);
    }
  }
  const name = given.get('--for') ?? '';
  if (!isHostName(name) || name === 'git') return `--for takes a host, not '${name}'`;
  const unclaimed = given.get('--unclaimed') ?? 'claim';
  if (!isUnclaimed(unclaimed)) return `--unclaimed takes claim, allow or deny, not '${unclaimed}'`;
  const timeout = milliseconds(given.get('--timeout'));
  if (Number.isNaN(timeout))
    return `--timeout takes a time such as 30s, not '${given.get('--timeout')}'`;
  return {
    host: HOSTS[name],
    unclaimed,
    timeout,
    probe,
    directory: given.get('--dir') ?? (process.env['HOLDFAST_CLAIMS'] || null),
    agent: given.get('--agent') ?? (process.env['HOLDFAST_AGENT'] || undefined),
  };
}

const OPTIONS = ['--for', '--unclaimed', '--timeout', '--dir', '--agent'];
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function milliseconds(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT;
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const value = Number(number) * (UNITS[unit] ?? 1000);
  return value > 0 ? value : Number.NaN;
}

function isUnclaimed(text: string): text is Unclaimed {
  return ['claim', 'allow', 'deny'].includes(text);
}

/** At once, through the descriptor: the process ends right after it. */
function write(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nobody reads it, so the status alone decides.
      if (code !== 'EAGAIN') return;
      sleepSync(1);
    }
  }
}
