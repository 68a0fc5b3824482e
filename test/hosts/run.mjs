// npm run test:hosts [-- --only codex,gemini,opencode]
//
// The real programs, with scripted models on the loopback. They are installed
// into a cache outside of the repository, once.
import { ANSWERS, RELIED_ON, tableFor } from './answers.mjs';
import { install } from './cache.mjs';
import { CASES } from './cases.mjs';
import { HOSTS } from './hosts.mjs';
import { isInside, rerunWithoutNetwork } from './offline.mjs';
import { SESSION_CASES } from './sessions.mjs';
import { SUB_AGENT_CASES } from './sub-agents.mjs';

const ALL = [...CASES, ...SUB_AGENT_CASES, ...SESSION_CASES];

const at = process.argv.indexOf('--only');
const names = at < 0 ? Object.keys(HOSTS) : process.argv[at + 1].split(',');
const unknown = names.find((name) => !Object.hasOwn(HOSTS, name));
if (unknown !== undefined) throw new Error(`there is no host ${unknown}`);

if (!isInside()) {
  for (const name of names) install(name);
  process.exit(rerunWithoutNetwork());
}

let failures = 0;
const table = {};
for (const name of names) {
  for (const { title, hosts, run } of ALL) {
    if (!hosts.includes(name)) continue;
    const began = Date.now();
    try {
      await run(name);
      console.log(`ok      ${name}: ${title} (${Date.now() - began} ms)`);
    } catch (error) {
      failures++;
      console.log(`FAILED  ${name}: ${title}\n  ${error.stack}`);
    }
  }
  if (HOSTS[name].hook === null) continue;
  table[name] = await tableFor(name);
  for (const what of RELIED_ON) if (table[name][what] !== 'blocked') failures++;
}
console.log('\nWhat a hook does, and what becomes of the write:');
console.table(
  Object.fromEntries(
    ANSWERS.map(([what]) => [
      what,
      Object.fromEntries(Object.entries(table).map(([name, rows]) => [name, rows[what]])),
    ]),
  ),
);
process.exit(failures === 0 ? 0 : 1);
