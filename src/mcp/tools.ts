import { clearInterval, setInterval } from 'node:timers';
import { monotonicTime } from '../base/timers.js';
import { ClaimConflictError } from '../claims/errors.js';
import type { Conflict } from '../claims/types.js';
import type { AgentClaims } from './agent-claims.js';
import {
  type Answer,
  checked,
  granted,
  listed,
  planned,
  refused,
  released,
  waitingFor,
} from './answers.js';
import { describeFailure } from './failures.js';
import {
  CHECK_INPUT,
  CHECK_OUTPUT,
  CLAIM_INPUT,
  CLAIM_OUTPUT,
  LIST_INPUT,
  LIST_OUTPUT,
  PLAN_INPUT,
  PLAN_OUTPUT,
  RELEASE_INPUT,
  RELEASE_OUTPUT,
} from './schemas.js';
import type { McpServer, ServerContext } from './sdk.js';

// Hosts give a call up after a minute unless it tells that it goes on.
const PROGRESS_MILLISECONDS = 5000;

const READS = { readOnlyHint: true, openWorldHint: false } as const;
const WRITES = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
} as const;

export function addTools(server: McpServer, own: AgentClaims): void {
  server.registerTool(
    'claim',
    {
      title: 'Claim paths',
      description:
        'Claim the files and folders that you are about to change, in addition to what you have. All of them are granted or none. If it is refused, the answer says who has what and what can be done.',
      inputSchema: CLAIM_INPUT,
      outputSchema: CLAIM_OUTPUT,
      annotations: WRITES,
    },
    ({ wait_seconds, ...asked }, context) =>
      answering(async () => {
        const began = monotonicTime();
        const waited = (): number => Math.round((monotonicTime() - began) / 1000);
        const progress = new Progress(context, began, wait_seconds);
        try {
          await own.claim(asked, {
            timeout: wait_seconds * 1000,
            signal: context.mcpReq.signal,
            onWait: (conflicts) => progress.begin(conflicts),
          });
          return granted(await own.own(asked.paths), waited());
        } catch (error) {
          if (!(error instanceof ClaimConflictError)) throw error;
          return refused(await own.own(asked.paths), error, waited());
        } finally {
          progress.end();
        }
      }),
  );
  server.registerTool(
    'release',
    {
      title: 'Release paths',
      description:
        'Give back paths that you have claimed and no longer need, so that others can have them.',
      inputSchema: RELEASE_INPUT,
      outputSchema: RELEASE_OUTPUT,
      annotations: WRITES,
    },
    ({ paths }) =>
      answering(async () => {
        const gone = await own.release(paths);
        return released(gone, await own.own(paths));
      }),
  );
  server.registerTool(
    'check',
    {
      title: 'Check paths',
      description: 'Whose files and folders are: yours, another agent’s, or nobody’s.',
      inputSchema: CHECK_INPUT,
      outputSchema: CHECK_OUTPUT,
      annotations: READS,
    },
    ({ paths }) => answering(async () => checked(await own.check(paths))),
  );
  server.registerTool(
    'list',
    {
      title: 'List claims',
      description: 'Which agent has what, what for, and who waits for it.',
      inputSchema: LIST_INPUT,
      outputSchema: LIST_OUTPUT,
      annotations: READS,
    },
    () => answering(async () => listed(own.agent, own.claims.root, await own.claims.list())),
  );
  server.registerTool(
    'plan',
    {
      title: 'Plan work for several agents',
      description:
        'Before you start several agents: which of them can work at the same time, and what to do about paths that two of them want. Claims nothing.',
      inputSchema: PLAN_INPUT,
      outputSchema: PLAN_OUTPUT,
      annotations: READS,
    },
    ({ requests }) => answering(async () => planned(await own.plan(requests))),
  );
}

async function answering(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    return describeFailure(error);
  }
}

/** Tells the host that a call waits, if it wants to know. */
class Progress {
  readonly #context: ServerContext;
  readonly #began: number;
  readonly #total: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: ServerContext, began: number, total: number) {
    this.#context = context;
    this.#began = began;
    this.#total = total;
  }

  begin(conflicts: Conflict[]): void {
    const { _meta, notify } = this.#context.mcpReq;
    const progressToken = _meta?.progressToken;
    if (progressToken === undefined) return;
    const message = waitingFor(conflicts);
    const tell = (): void => {
      const progress = Math.round((monotonicTime() - this.#began) / 100) / 10;
      const params = { progressToken, progress, total: this.#total, message };
      // The host may be gone; the end of stdin tells.
      notify({ method: 'notifications/progress', params }).catch(() => {});
    };
    tell();
    this.#timer = setInterval(tell, PROGRESS_MILLISECONDS);
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
