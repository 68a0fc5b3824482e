// Builds the addon for any platform, this one or another, into prebuilds/:
//   npm run build:addons -- all
//   npm run build:addons -- linux-arm64 linux-arm
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashOf, placeOf, root } from './native/common.mjs';
import { TARGETS } from './native/targets.mjs';

const known = Object.keys(TARGETS);
const asked = process.argv.slice(2);
const targets = asked.includes('all') ? known : asked;
const unknown = targets.filter((target) => !known.includes(target));
if (asked.length === 0 || unknown.length > 0) {
  for (const target of unknown) console.error(`There is no platform "${target}".`);
  console.error(`Usage: npm run build:addons -- all | ${known.join(' | ')}`);
  process.exit(2);
}
for (const target of targets) TARGETS[target].fetch?.();
const lacking = targets.filter((target) => TARGETS[target].lacking() !== null);
if (lacking.length > 0) {
  for (const target of lacking) console.error(`${target} needs ${TARGETS[target].lacking()}`);
  process.exit(1);
}

for (const target of targets) {
  const file = join(root, placeOf(target));
  mkdirSync(dirname(file), { recursive: true });
  TARGETS[target].build(file);
  console.log(`${placeOf(target)} ${hashOf(file)}`);
}

// Lists every addon in the folder, so that "sha256sum -c SHA256SUMS" works.
const lines = readdirSync(join(root, 'prebuilds'))
  .sort()
  .filter((target) => existsSync(join(root, placeOf(target))))
  .map((target) => `${hashOf(join(root, placeOf(target)))}  ${target}/holdfast.node\n`);
writeFileSync(join(root, 'prebuilds', 'SHA256SUMS'), lines.join(''));
