// What the tools take and what they answer. The descriptions are all that a
// model knows of them.
import { array, boolean, literal, number, strictObject, string } from './sdk.js';

const LONGEST_PATH = 4096;
const MOST_PATHS = 1000;
const MOST_REQUESTS = 200;
const LONGEST_TASK = 1000;
/** In seconds. */
export const LONGEST_WAIT = 600;

const path = string().min(1, 'a path must not be empty').max(LONGEST_PATH);

const paths = (what: string) =>
  array(path)
    .min(1, 'name at least one path, such as "src/app.ts" or "src/lib/"')
    .max(MOST_PATHS, `at most ${MOST_PATHS} paths; name their folder instead, such as "src/lib/"`)
    .describe(what);

const NAMED =
  'Relative to the working directory, or absolute. A folder stands for everything below it; * and ? match within a name, ** across folders.';

const except = array(path)
  .max(MOST_PATHS)
  .optional()
  .describe('What is left out of "paths", named in the same way.');

const task = string()
  .max(LONGEST_TASK)
  .optional()
  .describe('What you are doing, in a few words. Others read it if they are refused.');

export const CLAIM_INPUT = strictObject({
  paths: paths(`Files and folders that you are about to change. ${NAMED}`),
  except,
  task,
  wait_seconds: number()
    .min(0)
    .max(LONGEST_WAIT)
    .default(0)
    .describe('How long to wait for agents that have these paths. 0: answer at once.'),
});

export const RELEASE_INPUT = strictObject({
  paths: paths('What you no longer need. Left out: everything that you have.').optional(),
});

export const CHECK_INPUT = strictObject({
  paths: paths('Files and folders to look up. Relative to the working directory, or absolute.'),
});

export const LIST_INPUT = strictObject({});

export const PLAN_INPUT = strictObject({
  requests: array(
    strictObject({
      agent: string().min(1).max(250).describe('Its name.'),
      paths: array(path)
        .max(MOST_PATHS)
        .default([])
        .describe(`What it will change; empty for one that only reads. ${NAMED}`),
      except,
      task,
    }),
  )
    .min(1, 'name at least one agent')
    .max(MOST_REQUESTS),
});

const resolutions = array(
  strictObject({
    kind: string().describe('sequential, reassign, split or merge'),
    text: string(),
  }),
).describe('What can be done, best first.');

const more = (what: string) => number().describe(`How many ${what} are not shown.`);

export const CLAIM_OUTPUT = strictObject({
  granted: boolean(),
  agent: string().describe('Your name among the agents.'),
  root: string().describe('The repository; what its paths are relative to.'),
  scope: array(string()).describe('All that you have in it now.'),
  except: array(string()).describe('What is left out of it.'),
  conflicts: array(
    strictObject({
      with: string().describe('The agent that has it.'),
      path: string().describe('A path that both want; empty if unknown.'),
      theirs: string().describe('The entry of their claim.'),
      task: string().nullable(),
      resolutions,
    }),
  ),
  more_conflicts: more('conflicts'),
  circle: array(string()).describe(
    'If waiting would never end: agents of which each waits for the next, the last for the first.',
  ),
});

export const RELEASE_OUTPUT = strictObject({
  released: array(string()),
  scope: array(string()).describe('What you still have there.'),
  except: array(string()).describe('What is left out of it.'),
});

export const CHECK_OUTPUT = strictObject({
  verdicts: array(
    strictObject({
      path: string(),
      verdict: literal(['mine', 'other', 'unclaimed', 'outside']),
      owner: string().nullable(),
      entry: string().nullable().describe('The entry of the owner that matches.'),
      task: string().nullable(),
      notice: string().nullable().describe('Why to take care in spite of the verdict.'),
    }),
  ),
});

export const LIST_OUTPUT = strictObject({
  agent: string().nullable().describe('Your name among the agents.'),
  root: string().describe('What the paths are relative to.'),
  claims: array(
    strictObject({
      agent: string(),
      state: string().describe('active, expired, orphaned, conflicting, invalid or unverified'),
      reason: string().nullable(),
      scope: array(string()),
      except: array(string()),
      task: string().nullable(),
      since: string().nullable(),
      until: string().nullable(),
      waiters: array(string()).describe('Agents that wait for it.'),
    }),
  ),
  more_claims: more('claims'),
});

export const PLAN_OUTPUT = strictObject({
  waves: array(array(string())).describe(
    'Agents of one wave can work at the same time; the next wave starts when it has ended.',
  ),
  conflicts: array(
    strictObject({
      agents: array(string()),
      path: string(),
      entries: array(string()),
      resolutions,
    }),
  ),
  more_conflicts: more('conflicts'),
});
