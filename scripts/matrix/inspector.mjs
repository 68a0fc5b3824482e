// `holdfast mcp` under the command line of the MCP Inspector, which is the
// reference for clients: what it lists, and a claim. Run by the Node of a row
// that has the Inspector beside it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND = join(root, 'dist', 'cli', 'holdfast.js');
const modules = join(dirname(process.execPath), '..', '..');
const inspector = join(modules, '@modelcontextprotocol', 'inspector');
const { bin } = JSON.parse(readFileSync(join(inspector, 'package.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-inspector-'));

function inspect(...words) {
  const server = [process.execPath, COMMAND, 'mcp', '--dir', 'locks', '--root', '.'];
  const args = [join(inspector, bin['mcp-inspector']), '--cli', ...server, ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${status}\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

function check(what, condition) {
  if (!condition) throw new Error(what);
  console.log(`ok: ${what}`);
}

try {
  const { tools } = inspect('--method', 'tools/list');
  const names = tools.map(({ name }) => name).sort();
  check('lists the tools', names.join() === 'check,claim,list,plan,release');
  const claim = ['--method', 'tools/call', '--tool-name', 'claim', '--tool-arg', 'paths=["src/"]'];
  const { structuredContent, content } = inspect(...claim);
  check('claims', structuredContent.granted === true);
  check('says so in words', content[0].text.includes('src/'));
  const { resources } = inspect('--method', 'resources/list');
  check('lists the resource', resources[0].uri === 'holdfast://claims');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
