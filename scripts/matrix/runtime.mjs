// Installs and starts the runtime of a row.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const cache = join(root, 'node_modules', '.cache', 'matrix');

/** What the row needs and this machine lacks. */
export function lacking({ needs = {} }) {
  const missing = Object.entries(needs).filter(([file]) => !existsSync(file));
  return [...new Set(missing.map(([, name]) => name))];
}

/** A folder with the row's packages, downloaded at the first time. */
function fetched(row) {
  const folder = join(cache, row.packages.join('+').replace(/[^\w.+-]/g, '_'));
  if (!existsSync(join(folder, 'node_modules', row.binary))) {
    mkdirSync(folder, { recursive: true });
    // Of other processors too, and the packages download nothing themselves.
    const args = ['install', '--prefix', folder, '--no-save', '--force', '--ignore-scripts'];
    execFileSync('npm', [...args, '--silent', '--no-audit', '--no-fund', ...row.packages], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  return join(folder, 'node_modules', row.binary);
}

function script(file, lines) {
  writeFileSync(file, lines.join('\n'), { mode: 0o755 });
}

/**
 * A folder with a C++ library for musl, which Debian lacks: made of the static
 * one of the compiler whose tools have that prefix, as far as the binary asks
 * for it. It is the real one, only meant for glibc: the types of the two are of
 * the same size on these processors, and what glibc alone has is added.
 */
function cppForMusl(binary, prefix) {
  // The distribution's own (Alpine's), which the loader finds by itself.
  if (existsSync('/usr/lib/libstdc++.so.6')) return '/usr/lib';
  const folder = join(dirname(binary), 'libraries');
  const library = join(folder, 'libstdc++.so.6');
  if (existsSync(library)) return folder;
  mkdirSync(folder, { recursive: true });
  const missing = join(folder, 'missing.c');
  script(missing, [
    // Not single, so that it takes its locks.
    'char __libc_single_threaded;',
    // Not found, so that it looks in the older way.
    'int _dl_find_object(void *address, void *found) { return -1; }',
    // Of std::random_device, which nobody asks for.
    'unsigned arc4random(void) { __builtin_trap(); }',
    'unsigned long getauxval(unsigned long type);',
    'unsigned long __getauxval(unsigned long type) { return getauxval(type); }',
    '',
  ]);
  const run = (tool, ...args) => execFileSync(`${prefix}${tool}`, args, { encoding: 'utf8' });
  const part = (name) => run('g++', `-print-file-name=${name}`).trim();
  // What it imports, and the tables that are copied into it.
  const symbols = run('nm', '--dynamic', binary).matchAll(
    / (?:U|\w(?= _ZTVN10__cxxabiv1)) (_\w+)/g,
  );
  run(
    'gcc',
    ...['-shared', '-nostdlib', '-fPIC', '-O2', '-Wl,-soname,libstdc++.so.6'],
    ...[part('crtbeginS.o'), missing, ...[...symbols].map(([, name]) => `-Wl,-u,${name}`)],
    ...['libstdc++.a', 'libgcc_eh.a', 'libgcc.a', 'crtendS.o'].map(part),
    ...['-o', library],
  );
  return folder;
}

/** How to start the runtime: a program, its first arguments, its environment. */
export function runtimeOf(row, scratch) {
  const binary = fetched(row);
  const env = { ...process.env };
  // Of npm, which was run by another Node.
  for (const name of Object.keys(env)) if (/^(npm_|NODE$)/.test(name)) delete env[name];
  if (row.cppForMusl !== undefined) env.LD_LIBRARY_PATH = cppForMusl(binary, row.cppForMusl);
  if (row.emulator === undefined) {
    env.PATH = [dirname(binary), env.PATH].join(delimiter);
    return { command: binary, before: row.before ?? [], env };
  }
  // The kernel does not start what is for another processor, so a child has to
  // be started by way of the emulator, as its parent was.
  const command = join(scratch, 'node');
  // There are tests with a child of another user.
  chmodSync(scratch, 0o755);
  const preload = join(scratch, 'preload.cjs');
  script(command, ['#!/bin/sh', `exec ${[...row.emulator, binary].join(' ')} "$@"`, '']);
  script(preload, [
    `process.execPath = ${JSON.stringify(command)};`,
    // The newest Node for arm that npm has lacks it.
    'process.getBuiltinModule ??= require;',
    // The emulator answers for a process's own stat itself, with zeros for all
    // that it does not know. By another name of the file the kernel answers.
    "const fs = require('node:fs');",
    'const { readFileSync } = fs;',
    "const own = ['self', process.pid].map((name) => ['/proc', name, 'stat'].join('/'));",
    'fs.readFileSync = (path, ...more) =>',
    "  readFileSync(own.includes(path) ? path.replace('/proc/', '/proc/./') : path, ...more);",
    "require('node:module').syncBuiltinESMExports();",
    '',
  ]);
  env.PATH = [scratch, env.PATH].join(delimiter);
  // Where the test runner finds its compiled parts.
  env.NODE_PATH = join(binary.slice(0, -row.binary.length));
  env.NODE_OPTIONS = `--require=${preload}`;
  env.BUN_OPTIONS = `--preload=${preload}`;
  return { command, before: [], env };
}
