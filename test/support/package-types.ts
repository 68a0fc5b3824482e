import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseSync } from 'rolldown/utils';

/** What the declarations of a module say that a user may write. */
export interface ExportedName {
  name: string;
  /** Of a class or an interface: its own members and options. */
  members: string[];
  /** Names and words inside types: fields of inline options, `'held'`. */
  parts: string[];
}

// Of the syntax tree only what is asked for: it is read, not changed.
interface Node {
  type: string;
  [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function children(node: Node): Node[] {
  return Object.values(node).flat().filter(isNode);
}

function parse(file: string): Node[] {
  const { program, errors } = parseSync(file, readFileSync(file, 'utf8'), { lang: 'dts' });
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  return program.body as unknown as Node[];
}

function nameOf(key: unknown): string | null {
  if (!isNode(key) || key.type === 'PrivateIdentifier') return null;
  if (key.type === 'MemberExpression')
    return `[${nameOf(key['object'])}.${nameOf(key['property'])}]`;
  return String(key['name'] ?? key['value']);
}

/** The name of a member, `null` for what is private. */
function memberName(node: Node): string | null {
  if (node['accessibility'] === 'private') return null;
  return nameOf(node['key']);
}

/** Fields of type literals, and words of unions, however deep. */
function partsIn(node: Node): string[] {
  // `Omit<Options, 'name'>`: what is not there.
  if (node.type === 'TSTypeReference' && nameOf(node['typeName']) === 'Omit') return [];
  if (node.type === 'TSInterfaceHeritage' && nameOf(node['expression']) === 'Omit') return [];
  const own: (string | null)[] = [];
  if (node.type === 'TSTypeLiteral') own.push(...(node['members'] as Node[]).map(memberName));
  if (node.type === 'TSLiteralType' && typeof (node['literal'] as Node)['value'] === 'string') {
    own.push((node['literal'] as Node)['value'] as string);
  }
  const names = own.filter((name) => name !== null);
  return [...names, ...children(node).flatMap(partsIn)];
}

/** Everything that the file declares, by name. */
function declarations(body: Node[]): Map<string, Node> {
  const found = new Map<string, Node>();
  for (const statement of body) {
    const node = isNode(statement['declaration']) ? statement['declaration'] : statement;
    const id = nameOf(node['id']);
    // Of overloads, all: their parameters count together.
    const earlier = id === null ? undefined : found.get(id);
    if (id === null) continue;
    found.set(id, earlier === undefined ? node : { type: 'Overloads', all: [earlier, node] });
  }
  return found;
}

function membersOf(node: Node, all: Map<string, Node>): string[] {
  const body = isNode(node['body']) ? (node['body']['body'] as Node[]) : [];
  const names = body.map(memberName).filter((name) => name !== null);
  // `extends EventEmitter<Events>`: what its events are called.
  const events = JSON.stringify(node['superTypeArguments'] ?? node['superTypeParameters'] ?? null);
  for (const [name, other] of all) {
    if (other.type !== 'TSInterfaceDeclaration' || !events.includes(`"name":"${name}"`)) continue;
    if (name.endsWith('Events')) names.push(...membersOf(other, all));
  }
  return names;
}

/** The declaration of a name that a file exports, or re-exports. */
function describeExport(file: string, name: string): ExportedName {
  const body = parse(file);
  const all = declarations(body);
  const node = all.get(name);
  if (node !== undefined) {
    const members = [...new Set(membersOf(node, all))];
    const parts = [...new Set(partsIn(node))].filter((part) => !members.includes(part));
    return { name, members, parts };
  }
  for (const statement of body) {
    if (!/^(Import|ExportNamed)Declaration$/.test(statement.type)) continue;
    const from = statement['source'];
    if (!isNode(from)) continue;
    for (const each of statement['specifiers'] as Node[]) {
      const here = nameOf(each[statement.type === 'ImportDeclaration' ? 'local' : 'exported']);
      const there = nameOf(each[statement.type === 'ImportDeclaration' ? 'imported' : 'local']);
      if (here !== name || there === null) continue;
      const target = join(dirname(file), String(from['value']).replace(/\.js$/, '.d.ts'));
      return { ...describeExport(target, there), name };
    }
  }
  throw new Error(`${file} exports ${name}, but what it is was not found`);
}

function exportsOf(file: string): ExportedName[] {
  const names: string[] = [];
  for (const statement of parse(file)) {
    if (statement.type === 'ExportAllDeclaration') throw new Error(`${file}: export * is not read`);
    if (statement.type !== 'ExportNamedDeclaration') continue;
    const declared = nameOf((statement['declaration'] as Node | null)?.['id']);
    if (declared !== null) names.push(declared);
    for (const each of statement['specifiers'] as Node[]) {
      names.push(nameOf(each['exported']) ?? '');
    }
  }
  return [...new Set(names)].map((name) => describeExport(file, name));
}

/** By the name of the module: `holdfast/instance`. */
export function readPackage(root: string): Map<string, ExportedName[]> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const modules = new Map<string, ExportedName[]>();
  for (const [subpath, target] of Object.entries<{ types?: string }>(manifest.exports)) {
    if (target.types === undefined) continue;
    modules.set(join(manifest.name, subpath), exportsOf(resolve(root, target.types)));
  }
  return modules;
}
