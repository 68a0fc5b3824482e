// The packages that speak MCP, in one file beside the command: users of holdfast
// do not install them, and only `holdfast mcp` loads them.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';

const SOURCE = './sdk.js';
const FILE = './mcp-sdk.js';

/** A plugin for the build of the command, which has src/mcp/sdk.ts as a file of its own. */
export const MCP_PACKAGES = {
  name: 'mcp-packages',
  resolveId: (source, importer = '') =>
    source === SOURCE && /[\\/]src[\\/]mcp[\\/]/.test(importer)
      ? { id: FILE, external: true }
      : null,
};

// What the server package takes from its platform. A validator of JSON Schema is
// among it, 130 KB for answers of a person to a form: this server asks none.
const SHIMS = '@modelcontextprotocol/server/_shims';
const OWN_SHIMS = `
import process from 'node:process';
export class DefaultJsonSchemaValidator {
  getValidator() { throw new Error('this server has no validator of JSON Schema'); }
}
export { process };`;
const WITHOUT_VALIDATOR = {
  name: 'without-validator',
  resolveId: (source) => (source === SHIMS ? '\0shims' : null),
  load: (id) => (id === '\0shims' ? OWN_SHIMS : null),
};

export async function bundleMcp(root) {
  const { output } = await build({
    cwd: root,
    input: { 'mcp-sdk': 'src/mcp/sdk.ts' },
    platform: 'node',
    plugins: [WITHOUT_VALIDATOR],
    output: { dir: 'dist/cli', format: 'cjs', comments: false, minify: true },
  });
  if (output.length !== 1) throw new Error(`mcp-sdk.js became ${output.length} files`);
  writeFileSync(join(root, 'dist/cli/THIRD-PARTY-NOTICES'), notices(output[0].moduleIds, root));
}

// How a package that was bundled itself marks what it has taken in.
const TAKEN_IN = /^\/\/#region .*node_modules\/\.pnpm\/((?:@[^@+]+\+)?[^@/]+)@([^/_]+)/gm;

/** The licence of each package with a bundled file, or with one bundled into another package. */
function notices(ids, root) {
  const folders = new Set(ids.map(packageFolder).filter(Boolean));
  for (const id of ids.filter((each) => packageFolder(each) !== undefined)) {
    for (const [, name, version] of readFileSync(id, 'utf8').matchAll(TAKEN_IN)) {
      folders.add(installed(name.replace('+', '/'), version, root));
    }
  }
  const byLicence = new Map();
  for (const folder of [...folders].sort()) {
    const { name, version, license } = manifestOf(folder);
    const text = licenceIn(folder, name);
    byLicence.set(text, [...(byLicence.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const parts = [...byLicence].map(([text, names]) => [...names, '', text].join('\n'));
  const first = 'dist/cli/mcp-sdk.js contains parts of these packages.';
  return `${[first, ...parts].join(`\n\n${'-'.repeat(72)}\n\n`)}\n`;
}

const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

function packageFolder(id) {
  return /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+(?=[\\/])/.exec(id)?.[0];
}

/** A package that is needed only for its licence. */
function installed(name, version, root) {
  const folder = join(root, 'node_modules', name);
  const known = existsSync(folder) ? manifestOf(folder).version : 'none';
  if (known === version) return folder;
  throw new Error(
    `${name} ${version} is bundled, and its licence is needed: add it to the devDependencies (there is ${known})`,
  );
}

function licenceIn(folder, name) {
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${name} has no licence`);
  return readFileSync(join(folder, file), 'utf8').trim();
}
