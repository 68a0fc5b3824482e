// A member, process or thread, that does what the driver says and keeps the
// judge's word: a file that is there while somebody acts as primary.
//
// It stands for a word in shared memory, which Node cannot map, and needs no
// lock either: link(2) is the compare-and-swap from nobody to a number (it
// fails if the name exists, whoever made it), stat(2) the read, unlink(2) the
// way back. It knows nothing of `.primary`.
//   1. On `primary` a member links its own file to the word. If the word is
//      there, its owner must have been killed: then the driver, who has waited
//      for the end of that process, says so with the file `dead-{number}`, and
//      the word is taken over. If the word is the work of somebody who lives,
//      or goes away by itself meanwhile, two were primary.
//   2. Every millisecond it looks whether the word is still its own.
//   3. On `standby`, before the seat is let go of, it looks again and unlinks.
import {
  appendFileSync,
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';

const send = parentPort
  ? (message) => parentPort.postMessage(message)
  : (message) => process.connected && process.send(message);
const listen = parentPort
  ? (fn) => parentPort.on('message', fn)
  : (fn) => process.on('message', fn);
const { Election } = await import(new URL('../../dist/election.js', import.meta.url).href);

const LONGEST_DEATH = 10_000;
let judge;
let number;
let election = null;
let owned = null;
let turn = 0;

const word = () => join(judge, 'word');
const violate = (text) => appendFileSync(join(judge, 'violations'), `${number}: ${text}\n`);
const look = () => statSync(word(), { throwIfNoEntry: false })?.ino ?? null;
const own = () => {
  const path = join(judge, `own-${number}-${turn}`);
  writeFileSync(path, `${number}`);
  return path;
};
const breathe = () => new Promise((resolve) => setTimeout(resolve, 1));

async function claim(term) {
  const mine = ++turn;
  const isMine = () => mine === turn;
  const path = own();
  const { ino } = statSync(path);
  const taken = () => {
    owned = ino;
    // In the order of the claims, for whoever writes has the word.
    appendFileSync(join(judge, 'terms'), `${term} ${number}\n`);
    send({ did: 'primary' });
  };
  try {
    linkSync(path, word());
    taken();
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    let before;
    try {
      before = readFileSync(word(), 'utf8');
    } catch {
      violate(`primary with term ${term} while another one was about to clear the word`);
      return;
    }
    const there = look();
    const end = performance.now() + LONGEST_DEATH;
    while (isMine() && !existsSync(join(judge, `dead-${before}`))) {
      if (look() !== there) violate(`primary with term ${term} while ${before} was and lived`);
      if (performance.now() > end) violate(`primary with term ${term} while ${before} still is`);
      if (look() !== there || performance.now() > end) return;
      await breathe();
    }
    if (!isMine()) return;
    renameSync(path, word());
    taken();
  }
  while (isMine()) {
    if (look() !== ino) {
      violate(`the word was taken from it in term ${term}`);
      return;
    }
    await breathe();
  }
}

function clear() {
  turn++;
  if (owned === null) return;
  if (look() !== owned) violate('the word was taken from it when it stood back');
  else unlinkSync(word());
  owned = null;
}

const actions = {
  begin(given) {
    ({ judge, number } = given);
  },
  async join({ directory, id, settle }) {
    try {
      election = await Election.join(directory, { id, settle, data: { number } });
    } catch (error) {
      if (error.code === 'ERR_LOCK_HELD') return { held: true };
      throw error;
    }
    election.on('primary', (term) =>
      claim(term).catch((error) => violate(`the judge failed: ${error.stack}`)),
    );
    election.on('standby', clear);
    election.on('error', (error) => violate(`error: ${error.message}`));
    return { held: false };
  },
  async leave() {
    await election.leave();
    election = null;
    return {};
  },
  look: () => election.members().then((members) => ({ members: members.length })),
};

listen(async ({ act, ...given }) => {
  try {
    send({ did: act, ...(await actions[act](given)) });
  } catch (error) {
    violate(`${act} failed: ${error.stack}`);
    send({ did: act });
  }
});
if (parentPort === null) {
  process.on('warning', (warning) => violate(`warning: ${warning.message}`));
  process.on('disconnect', () => process.exit());
}
send({ did: 'start' });
