// Scope claims: adding one beside many, planning many, and how both grow. Each
// time is that of a process of its own, which has compiled nothing yet.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.mjs';
import { interleave, median, ratios } from './measure.mjs';
import { row } from './report.mjs';

const CLAIMS = new URL('../dist/claims.js', import.meta.url).href;
const HOUR = 3_600_000;
const SIZES = [1000, 2000, 4000, 8000, 16_000, 32_000];

// What a process does that says [milliseconds, the same with the import].
const PRELUDE = `
  import { readFileSync } from 'node:fs';
  const [input, directory, root] = process.argv.slice(1);
  const requests = JSON.parse(readFileSync(input, 'utf8'));
  const start = performance.now();
  const { Claims } = await import(${JSON.stringify(CLAIMS)});
  const claims = new Claims(directory, { root });
  const begin = performance.now();
`;
const SAY = 'process.stdout.write(JSON.stringify([end - begin, end - start, extra]) + "\\n");';
const CLAIM = `${PRELUDE}
  const claim = await claims.claim(requests[0]);
  const end = performance.now();
  const extra = claim.files.length + claim.directories.length;
  await claim.release();
  ${SAY}
`;
const PLAN = `${PRELUDE}
  const plan = claims.plan(requests);
  const end = performance.now();
  const extra = [plan.conflicts.length, plan.waves.length];
  ${SAY}
`;
const HOLD = `${PRELUDE}
  const held = await claims.claimAll(requests);
  process.stdout.write('held ' + held.length + '\\n');
  process.stdin.resume();
  process.stdin.on('end', () => process.exit());
`;

function start(source, ...args) {
  return new Child(process.execPath, ['--input-type=module', '-e', source, '--', ...args]);
}

async function time(source, ...args) {
  return JSON.parse(await start(source, ...args).hear());
}

/** Entries of one agent in a package of its own: mostly files, a few folders and patterns. */
function scope(name, count) {
  const base = `packages/${name}`;
  const few = Math.max(1, Math.round(count / 20));
  const directories = Array.from({ length: 2 * few }, (_, at) => `${base}/lib/part-${at}/`);
  const patterns = Array.from({ length: few }, (_, at) => `${base}/test/**/*-${at}.test.ts`);
  const files = Array.from(
    { length: count - 3 * few },
    (_, at) => `${base}/src/${['routes', 'model', 'view'][at % 3]}/[id]/module-${at}.ts`,
  );
  return { agent: name, files: [...files, ...patterns], directories };
}

const scopes = (count, entries) =>
  Array.from({ length: count }, (_, at) => scope(`agent-${at}`, entries));

/** Only paths that are spelled out, 50 to an agent. */
function literal(entries) {
  return Array.from({ length: entries / 50 }, (_, at) => ({
    agent: `agent-${at}`,
    files: Array.from({ length: 50 }, (_, file) => `packages/p-${at}/src/module-${file}.ts`),
  }));
}

/** Every request also wants a folder of another's, and all tests of some packages. */
function crowded(requests) {
  return requests.map(({ agent, files, directories }, at) => ({
    agent,
    files: [
      ...files.slice(3),
      `packages/agent-${at % 20}*/src/**/module-${at % 30}.ts`,
      `packages/agent-${(at * 7) % 200}/src/routes/[id]/module-3.ts`,
      `packages/agent-${(at * 11) % 200}/test/**`,
    ],
    directories: [...directories.slice(1), `packages/agent-${(at * 13) % 200}/lib/`],
  }));
}

/** One in ten wants something of its neighbour's. */
function somewhatCrowded(requests) {
  return requests.map((request, at) =>
    at % 10 === 0
      ? { ...request, files: [...request.files.slice(1), `packages/agent-${at + 1}/src/**/*-0.ts`] }
      : request,
  );
}

class Bench {
  #folder;
  #files = 0;

  constructor(folder) {
    this.#folder = join(folder, 'claims');
    mkdirSync(this.#folder);
  }

  get root() {
    return this.#folder;
  }

  input(requests) {
    const file = join(this.#folder, `input-${this.#files++}.json`);
    writeFileSync(file, JSON.stringify(requests));
    return file;
  }

  directory(name) {
    const path = join(this.#folder, name);
    mkdirSync(path);
    return path;
  }

  /** A folder with the files of claims, as the package writes them. */
  claimed(name, requests) {
    const directory = this.directory(name);
    const now = Math.floor(Date.now() / 1000) * 1000;
    const at = (milliseconds) => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
    for (const { agent, files, directories } of requests) {
      const fields = {
        agent,
        locked_at: at(now),
        files,
        ...(directories !== undefined && { directories }),
        task_description: `What ${agent} is to do`,
        expires_at: at(now + 24 * HOUR),
        id: crypto.randomUUID(),
      };
      writeFileSync(join(directory, `${agent}.lock`), `${JSON.stringify(fields)}\n`);
    }
    return directory;
  }
}

// The new claim: as the others, and one with tests of all packages.
const NEW = scope('newcomer', 20);
const TESTER = { ...NEW, files: [...NEW.files.slice(1), 'packages/*/src/**/*_test.go'] };

async function measureAdding(bench, rounds) {
  const existing = scopes(1000, 20);
  const unbound = bench.claimed('unbound', existing);
  const bound = bench.directory('bound');
  const all = bench.input(existing.map((each) => ({ ...each, bind: true, ttl: 24 * HOUR })));
  const holder = start(HOLD, all, bound, bench.root);
  await holder.hear();
  const none = bench.directory('none');
  const inputs = [NEW, TESTER].map((each) => bench.input([each]));
  const contestants = {
    usual: () => time(CLAIM, inputs[0], unbound, bench.root),
    tester: () => time(CLAIM, inputs[1], unbound, bench.root),
    bound: () => time(CLAIM, inputs[0], bound, bench.root),
    none: () => time(CLAIM, inputs[0], none, bench.root),
  };
  await interleave(contestants, 2);
  const samples = await interleave(contestants, rounds);
  await holder.kill();
  const inside = (name) => samples[name].map(([milliseconds]) => milliseconds);
  const imported = (name) => median(samples[name].map(([, milliseconds]) => milliseconds));
  const detail = (name) => `with the import ${imported(name).toFixed(1)} ms`;
  const beside = 'adding a claim of 20 entries beside 1000 of 20, cold';
  return [
    row({
      what: beside,
      values: inside('usual'),
      unit: 'ms',
      budget: 60,
      detail: `${detail('usual')}; beside none ${median(inside('none')).toFixed(1)} ms`,
    }),
    row({
      what: `${beside}, with \`packages/*/src/**/*_test.go\` among the 20`,
      values: inside('tester'),
      unit: 'ms',
      budget: 60,
      detail: detail('tester'),
    }),
    row({
      what: `${beside}, all 1000 bound and held`,
      values: inside('bound'),
      unit: 'ms',
      detail: detail('bound'),
    }),
  ];
}

async function measurePlanning(bench, rounds) {
  const requests = scopes(200, 50);
  const directory = bench.directory('plan');
  const plans = {
    few: bench.input(somewhatCrowded(requests)),
    many: bench.input(crowded(requests)),
  };
  const contestants = Object.fromEntries(
    Object.entries(plans).map(([name, input]) => [
      name,
      () => time(PLAN, input, directory, bench.root),
    ]),
  );
  await interleave(contestants, 1);
  const samples = await interleave(contestants, rounds);
  return Object.keys(plans).map((name) => {
    const [[, , [conflicts, waves]]] = samples[name];
    return row({
      what: `planning 200 requests of 50 entries, cold, ${name} conflicts`,
      values: samples[name].map(([milliseconds]) => milliseconds),
      unit: 'ms',
      budget: 1000,
      detail: `${conflicts} conflicts, ${waves} waves`,
    });
  });
}

/** Time per entry; with few of them it is what a process compiles first. */
async function measureGrowth(bench, rounds, sizes) {
  const empty = bench.directory('growth');
  const one = bench.input([NEW]);
  const contestants = {};
  for (const size of sizes) {
    const requests = literal(size);
    const input = bench.input(requests);
    const claimed = bench.claimed(`growth-${size}`, requests);
    contestants[`plan ${size}`] = () => time(PLAN, input, empty, bench.root);
    contestants[`claim ${size}`] = () => time(CLAIM, one, claimed, bench.root);
  }
  await interleave(contestants, 1);
  const samples = await interleave(contestants, rounds);
  const times = (what, size) => samples[`${what} ${size}`].map(([milliseconds]) => milliseconds);
  const [smaller, largest] = [sizes[2], sizes.at(-1)];
  const titles = {
    plan: 'planning, literal paths',
    claim: 'adding a claim beside others, literal paths',
  };
  const points = sizes.map((size) => [size, (median(times('claim', size)) / size) * 1000]);
  const line = { name: 'a claim, for each entry claimed already', points };
  const rows = Object.entries(titles).map(([what, title]) => {
    const perEntry = (size) => times(what, size).map((milliseconds) => milliseconds / size);
    return row({
      what: `${title}: time per entry with ${largest} entries, against ${smaller}`,
      values: ratios(perEntry(largest), perEntry(smaller)),
      unit: '×',
      budget: 1.5,
      detail: sizes
        .map((size) => `${size / 1000}k ${(median(perEntry(size)) * 1000).toFixed(2)} µs`)
        .join(', '),
    });
  });
  return { rows, line };
}

export async function measureClaims({ folder, quick }) {
  const bench = new Bench(folder);
  try {
    const adding = await measureAdding(bench, quick ? 9 : 40);
    const planning = await measurePlanning(bench, quick ? 3 : 15);
    const { rows, line } = await measureGrowth(bench, quick ? 3 : 15, SIZES);
    return {
      title: 'Scope claims',
      rows: [...adding, ...planning, ...rows],
      chart: { lines: [line] },
    };
  } finally {
    rmSync(bench.root, { recursive: true, force: true });
  }
}
