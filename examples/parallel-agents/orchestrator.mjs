#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Claims } from 'holdfast/claims';

const AGENT = fileURLToPath(new URL('./agent.mjs', import.meta.url));
const PLAN = fileURLToPath(new URL('./plan.json', import.meta.url));
/** Longer than any agent works. */
const PATIENCE_MILLISECONDS = 3_600_000;

const [tree, plan = PLAN, ...rest] = process.argv.slice(2);
if (tree === undefined || tree.startsWith('-') || rest.length > 0) {
  console.error('usage: orchestrator TREE [PLAN]');
  process.exit(64);
}

/** The process of an agent, for as long as it runs. Its claim ends with it, however it ends. */
async function work({ agent, steps = [] }, claim) {
  const stdio = ['ignore', 'inherit', 'inherit'];
  // It holds the claim as well from here on, even if this program is killed.
  if (claim !== undefined) stdio.push(claim.fd);
  const words = [AGENT, agent, claims.root, claims.directory, JSON.stringify(steps)];
  const child = spawn(process.execPath, words, { stdio });
  const end = await once(child, 'exit').then(
    ([code, signal]) => (code === 0 ? 'done' : `ended by ${signal ?? `status ${code}`}`),
    (error) => `not started (${error.message})`,
  );
  if (claim === undefined) return console.log(`${agent}: ${end}`);
  // What the agent had of it has gone with its process; this is our own part.
  const free = await claim.release();
  console.log(`${agent}: ${end}, its claim ${free ? 'is free' : 'was lost'}`);
}

/** Tells once that a wave is not granted yet, and who is in the way. */
function sayWaiting(conflicts) {
  for (const { agents, witness, task } of conflicts) {
    console.log(`${agents[0]}: waits for ${agents[1]} ("${task}"), because of ${witness}`);
  }
}

const claims = new Claims(join(resolve(tree), '.workflow/locks'), { root: tree });
const working = [];
try {
  const requests = JSON.parse(readFileSync(plan, 'utf8'));
  // What a killed run left; its agents may still be at work, and their claims stand then.
  await claims.prune();
  const [other] = await claims.list();
  if (other !== undefined) throw new Error(`${other.agent} of another run is ${other.state}`);
  const { waves, conflicts } = claims.plan(requests);
  waves.forEach((wave, at) => {
    console.log(`wave ${at + 1}: ${wave.join(', ')}`);
  });
  for (const { agents, witness, resolutions } of conflicts) {
    console.log(`${agents.join(' and ')} both want ${witness}:`);
    for (const { kind, text } of resolutions) console.log(`  ${kind}: ${text}`);
  }
  for (const wave of waves) {
    const members = requests.filter(({ agent }) => wave.includes(agent));
    // Who changes nothing needs no claim.
    const wanted = members
      .filter(({ files, directories }) => files ?? directories)
      .map((request) => ({ ...request, bind: true }));
    // It waits for the claims that are in the way, and not for all that came before.
    const patience = { timeout: PATIENCE_MILLISECONDS, onWait: sayWaiting };
    const granted = await claims.claimAll(wanted, patience);
    for (const member of members) {
      const claim = granted.find(({ agent }) => agent === member.agent);
      if (claim !== undefined) console.log(`${member.agent}: has its claim`);
      working.push(work(member, claim));
    }
  }
} catch (error) {
  console.error(`Error: ${error.message}`);
  process.exitCode = 1;
}
await Promise.all(working);
if (process.exitCode === undefined) {
  // It fails unless the folder is empty.
  rmdirSync(claims.directory);
  console.log('no claim is left, and their folder is gone');
}
