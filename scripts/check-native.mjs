// Checks the committed addons: that they are what the sources make, byte for
// byte and from any folder, and that they ask for nothing that an older system
// or another C library lacks. Rebuilt are that of linux-x64, and each for
// which there is a compiler; with HOLDFAST_CHECK_ALL=1, all.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf, inFolder, LIMIT, placeOf, root } from './native/common.mjs';
import { TARGETS } from './native/targets.mjs';

function* faultsOf(target, rebuilt) {
  const file = join(root, placeOf(target));
  const { size } = statSync(file);
  if (size >= LIMIT) yield `has ${size} bytes, ${LIMIT} or more`;
  // Those for Linux are looked at with tools that are everywhere.
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
    'prebuilds/SHA256SUMS does not say what is there: run "npm run build:addons -- all"',
  );
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
