// Checks the C++ sources and the committed addons: that the sources are
// formatted; that the addons are what the sources make, byte for byte and from
// any folder; and that they need nothing that an older system or another C
// library lacks. It rebuilds the addon for linux-x64, and each other one whose
// compiler is here; with HOLDFAST_CHECK_ALL=1, all of them.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf, inFolder, LIMIT, placeOf, root } from './native/common.mjs';
import { formatter, unformatted, WANTED } from './native/format.mjs';
import { TARGETS } from './native/targets.mjs';

function* faultsOf(target, rebuilt) {
  const file = join(root, placeOf(target));
  const { size } = statSync(file);
  if (size >= LIMIT) yield `has ${size} bytes, ${LIMIT} or more`;
  // The tools that examine the addons for Linux are on every Linux.
  if (rebuilt || target.startsWith('linux-')) yield* TARGETS[target].faults(file);
  if (!rebuilt) return;
  const again = inFolder((folder) => {
    const other = join(folder, 'holdfast.node');
    TARGETS[target].build(other);
    return hashOf(other);
  });
  if (again === hashOf(file)) return;
  yield `differs from what the sources make: run "npm run build:addons -- ${target}" and commit it`;
}

const all = Boolean(process.env.HOLDFAST_CHECK_ALL);
const problems = [];

const tool = formatter();
if (tool !== undefined) {
  const advice = 'is not formatted: run "npm run format:native"';
  problems.push(...unformatted(tool).map((source) => `${source} ${advice}`));
} else if (all || process.env.HOLDFAST_TEST_NO_SKIP) {
  problems.push(`The format of the C++ cannot be checked without ${WANTED}`);
} else {
  console.log(`The format of the C++ was not checked, for want of ${WANTED}`);
}

const sums = [];
for (const target of Object.keys(TARGETS).sort()) {
  const place = placeOf(target);
  if (!existsSync(join(root, place))) {
    problems.push(`${place} is missing`);
    continue;
  }
  const hash = hashOf(join(root, place));
  sums.push(`${hash}  ${target}/holdfast.node\n`);
  if (all) TARGETS[target].fetch?.();
  const lacking = all || target === 'linux-x64' ? null : TARGETS[target].lacking();
  const found = [...faultsOf(target, lacking === null)];
  problems.push(...found.map((fault) => `${place} ${fault}`));
  if (found.length > 0) continue;
  const how = lacking === null ? 'as the sources make it' : `not rebuilt, for want of ${lacking}`;
  console.log(`${place} ${hash.slice(0, 16)}: ${statSync(join(root, place)).size} bytes, ${how}`);
}
const foreign = readdirSync(join(root, 'prebuilds')).filter((name) => !(name in TARGETS));
for (const name of foreign.filter((each) => each !== 'SHA256SUMS')) {
  problems.push(`prebuilds/${name} is not known to scripts/native/targets.mjs`);
}
const list = join(root, 'prebuilds', 'SHA256SUMS');
if (!existsSync(list) || readFileSync(list, 'utf8') !== sums.join('')) {
  problems.push(
    'prebuilds/SHA256SUMS does not match the addons: run "npm run build:addons -- all"',
  );
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
