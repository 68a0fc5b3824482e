#!/usr/bin/env node
import { worktreesOf } from './git.mjs';
import { create, list } from './worktrees.mjs';

const [command, name, ...rest] = process.argv.slice(2);
const isCreate = command === 'create' && name !== undefined;
const isList = command === 'list' && name === undefined;
if (!(isCreate || isList) || rest.length > 0) {
  console.error('wt: usage: wt create NAME\n           wt list');
  process.exit(64);
}
try {
  const trees = await worktreesOf(process.cwd());
  if (isCreate) {
    const { id, path } = await create(trees, name);
    console.log(`${id}  ${path}`);
  } else {
    for (const each of await list(trees)) {
      console.log(each.id === null ? `-  ${each.name} (not finished)` : `${each.id}  ${each.name}`);
    }
  }
} catch (error) {
  console.error(`wt: error: ${error.message}`);
  process.exitCode = 1;
}
