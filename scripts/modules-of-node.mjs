// How the built package loads the modules of Node.

// These take Node milliseconds to load, and most programs need none of them.
// Only functions are imported from them, so each is loaded when one is called.
const LATE = new Set([
  'cli-table3',
  'node:child_process',
  'node:crypto',
  'node:fs/promises',
  'node:net',
  'node:readline',
  'node:timers/promises',
  'node:tty',
  'node:url',
]);

// Of these, values are imported as well, which only CommonJS can have late.
const LATE_IN_COMMONJS = ['node:os'];

const IMPORT = /^import (?:(\w+)|\{(.*)\}) from "(node:[\w/]+)";$/gm;
const REQUIRE =
  /^(?:let|const) (\w+) = require\("([\w:./-]+)"\);\n(?:\1 = .*__toESM\(\1.*\);\n)?/gm;

// A file of Rolldown's own functions: all that is made of default imports needs it.
const HELPERS = /(^|-)rolldown-runtime\.c?js$/;
const GETTER =
  /^Object\.defineProperty\(exports, ["']([\w$]+)["'], \{\s*enumerable: true,\s*get: function ?\(\) \{\s*return ([\w$]+);\s*\}\s*\}\);/gm;
const EXPORT = /^exports\.([\w$]+) = ([\w$]+);\n?/gm;
const MARK = /^Object\.defineProperty\(exports, Symbol\.toStringTag, .*\n/m;
// A variable may change after the export.
const CONSTANT = (local) => {
  const name = local.replaceAll('$', '\\$');
  return new RegExp(
    `^(?:(?:async )?function\\*?|const|class) ${name}[^\\w$]|^var ${name} = class`,
    'm',
  );
};

// A module that another file loads by import(), and that is part of a larger file.
const NAMESPACE = /\b(?:\w+\.)?__exportAll\(\{([^}]*)\}\)/g;
const NAMED = /([\w$]+): \(\) => ([\w$]+)/g;
// Rolldown's own functions, where they are part of another file.
const HELPER =
  /^var __defProp = .*\n|^var __exportAll = [\s\S]*?^};\n|^exports\.__exportAll = __exportAll;\n|^Object\.defineProperty\(exports, ["']__exportAll["'], \{[^}]*\}\s*\}\);\n/gm;

// Of a package: Node would load its loader for ES modules.
const DYNAMIC = /\bimport\("([\w-]+)"\)/g;

const HELPERS_REQUIRED = /^(?:const \w+ = )?require\("\.\/(?:\w+-)?rolldown-runtime\.c?js"\);\n/m;

// Of native/load.ts, which looks at __filename too: two milliseconds.
const OWN_URL = 'const url = require("url").pathToFileURL(__filename).href;';

/** A plugin of Rolldown; `files` are those of the output to be loaded late as well. */
export function modulesOfNode(files) {
  const late = new Set([...LATE, ...LATE_IN_COMMONJS, ...files]);
  return {
    name: 'modules-of-node',
    renderChunk(code, _chunk, { format }) {
      return format === 'cjs' ? requiredLate(code, late) : withoutImports(code);
    },
    /** What Rolldown's own functions were for is gone. */
    generateBundle({ format }, files) {
      if (format !== 'cjs') return;
      for (const name of Object.keys(files)) if (HELPERS.test(name)) delete files[name];
      const left = Object.values(files).find(({ code }) =>
        /rolldown_runtime|__(?:toESM|exportAll)/.test(code),
      );
      if (left !== undefined) throw new Error(`${left.fileName} needs functions of Rolldown`);
    },
  };
}

/**
 * For each module of Node that is imported, Node lists its exports and
 * evaluates them all: 2.5 ms for eight. process.getBuiltinModule() does not.
 */
function withoutImports(code) {
  const rewritten = code.replace(IMPORT, (_statement, whole, names, module) => {
    const got = `process.getBuiltinModule("${module}")`;
    if (whole !== undefined) return `const ${whole} = ${got};`;
    const pairs = names.split(',').map((each) => each.trim().split(' as '));
    if (!LATE.has(module)) {
      return `const { ${pairs.map((pair) => pair.join(': ')).join(', ')} } = ${got};`;
    }
    return pairs
      .map(([name, local = name]) => `const ${local} = (...given) => ${got}.${name}(...given);`)
      .join('\n');
  });
  // A statement in another form would be slow, and nobody would notice.
  const left = /^import .*"node:.*/m.exec(rewritten);
  if (left !== null) throw new Error(`scripts/modules-of-node.mjs does not know: ${left[0]}`);
  return rewritten;
}

/**
 * Of CommonJS, the output has an import as a field of the module, as in
 * `node_tty.isatty`, and a default import as `default` of a copy of it.
 */
function requiredLate(code, lateModules) {
  let rewritten = code
    .replace(HELPERS_REQUIRED, '')
    .replace(OWN_URL, 'const url = undefined;')
    .replace(HELPER, '')
    .replace(NAMESPACE, (_call, names) => `{${names.replace(NAMED, 'get $1() { return $2; }')}}`)
    .replace(DYNAMIC, 'Promise.resolve().then(() => require("$1"))');
  for (const [statement, local, module] of code.matchAll(REQUIRE)) {
    const isLate = module === 'node:module' || lateModules.has(module);
    // The same class: Node would load its loader for ES modules as well.
    const late = module === 'node:module' ? '(module.constructor)' : `(require("${module}"))`;
    // The first call of require() in a process takes a fifth of a millisecond. A
    // host may run a hook with a Node before 20.16, which has nothing else; where a
    // hook does not start, the host writes.
    const get = module.startsWith('node:') ? '(process.getBuiltinModule ?? require)' : 'require';
    const now = `${get}("${module}")`;
    rewritten = rewritten
      .replace(statement, isLate ? '' : `let ${local} = ${now};\n`)
      .replaceAll(new RegExp(`\\b${local}\\.default\\b`, 'g'), isLate ? late : local);
    if (isLate) rewritten = rewritten.replaceAll(new RegExp(`\\b${local}\\.`, 'g'), `${late}.`);
  }
  return exportedAtOnce(rewritten);
}

/**
 * One object with all exports: V8 makes it in one step, and a step for each
 * assignment, of which there are hundreds. It comes last, so what a file loads
 * while it is loaded itself cannot have it.
 */
function exportedAtOnce(code) {
  const fields = [];
  const rest = code
    .replace(GETTER, (_statement, name, local) => {
      fields.push(
        CONSTANT(local).test(code) ? `${name}: ${local}` : `get ${name}() { return ${local}; }`,
      );
      return '';
    })
    .replace(EXPORT, (_statement, name, local) => {
      fields.push(`${name}: ${local}`);
      return '';
    })
    .replace(MARK, '');
  // What is exported in another form would be lost.
  const left = /^(?:exports\.|Object\.defineProperty\(exports).*/m.exec(rest);
  if (left !== null) throw new Error(`scripts/modules-of-node.mjs does not know: ${left[0]}`);
  return fields.length === 0 ? rest : `${rest}\nmodule.exports = { ${fields.join(', ')} };\n`;
}
