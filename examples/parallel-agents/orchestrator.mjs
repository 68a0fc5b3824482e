#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
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

/** Runs an agent's process. Its claim ends with the process, however that ends. */
async function work({ agent, steps = [] }, claim) {
  const stdio = ['ignore', 'inherit', 'inherit'];
  // From now on the agent holds the claim, too, even if this program is killed.
  if (claim !== undefined) stdio.push(claim.fd);
  const words = [AGENT, agent, claims.root, claims.directory, JSON.stringify(steps)];
  const child = spawn(process.execPath, words, { stdio });
  const end = await once(child, 'exit').then(
    ([code, signal]) => (code === 0 ? 'done' : `ended by ${signal ?? `status ${code}`}`),
    (error) => `not started (${error.message})`,
  );
  if (claim === undefined) return console.log(`${agent}: ${end}`);
  // The agent's share of the claim ended with its process; this is our own share.
  const free = await claim.release();
  console.log(`${agent}: ${end}, its claim ${free ? 'is free' : 'was lost'}`);
}

/** Says once that a wave has to wait, and for whom. */
function sayWaiting(conflicts) {
  for (const { agents, witness, task } of conflicts) {
    console.log(`${agents[0]}: waits for ${agents[1]} ("${task}"), because of ${witness}`);
  }
}

// The folder that all agents of the repository use, so it also waits for agents
// that others started.
const claims = new Claims(undefined, { root: tree });
const working = [];
const started = [];
try {
  const requests = JSON.parse(readFileSync(plan, 'utf8'));
  // Remove what a killed run left. Its agents may still be working: then their
  // claims stay, and their names are taken.
  await claims.prune();
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
    // An agent that changes nothing needs no claim.
    const wanted = members
      .filter(({ files, directories }) => files ?? directories)
      .map((request) => ({ ...request, bind: true }));
    // Waits only for the claims in the way, not for all earlier ones.
    const patience = { timeout: PATIENCE_MILLISECONDS, onWait: sayWaiting };
    const granted = await claims.claimAll(wanted, patience);
    for (const member of members) {
      const claim = granted.find(({ agent }) => agent === member.agent);
      if (claim !== undefined) console.log(`${member.agent}: has its claim`);
      started.push(member.agent);
      working.push(work(member, claim));
    }
  }
} catch (error) {
  console.error(`Error: ${error.message}`);
  process.exitCode = 1;
}
await Promise.all(working);
if (process.exitCode === undefined) {
  const mine = new Set(started);
  const left = (await claims.list()).filter(({ agent }) => mine.has(agent));
  console.log(`${left.length === 0 ? 'no claim' : left.map(({ agent }) => agent)} is left`);
}
