// Several sessions in one process of a host.
import { createServer } from 'node:net';
import { check, inProject } from './agents.mjs';
import { HOSTS } from './hosts.mjs';

export const SESSION_CASES = [
  {
    title: 'two sessions of one server are two agents',
    hosts: ['opencode'],
    run: (name) => inProject((project) => twoOfServer(project, name)),
  },
  {
    title: 'two sessions of one terminal are two agents while both work',
    hosts: ['opencode'],
    run: (name) => inProject((project) => twoOfTerminal(project, name)),
  },
];

const REFUSED = 'another agent is working there';

/** The API of opencode, of a server or of a terminal. */
class Api {
  constructor(url) {
    this.url = url;
  }

  static async ofServer(agent) {
    agent.start(agent.host.serverArgs);
    const found = () => /listening on (http:\/\/\S+)/.exec(agent.output)?.[1];
    await agent.until(found, 'the server does not listen');
    return new Api(found());
  }

  /** As a person starts it. */
  static async ofTerminal(agent) {
    const port = await freePort();
    agent.startInTerminal(agent.host.terminalArgs(port));
    const api = new Api(`http://127.0.0.1:${port}`);
    // Calls that come before it is ready may never be answered.
    await agent.until(() => api.#answers(), 'the terminal does not listen');
    return api;
  }

  async #answers() {
    const signal = AbortSignal.timeout(5000);
    return fetch(`${this.url}/session`, { signal }).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async session() {
    const { id } = await this.#call('POST', '/session', {});
    return id;
  }

  /** Resolves when the session has done what its model says for this prompt. */
  async say(session, text) {
    await this.#call('POST', `/session/${session}/message`, { parts: [{ type: 'text', text }] });
  }

  async remove(session) {
    await this.#call('DELETE', `/session/${session}`);
  }

  async #call(method, path, body) {
    const response = await fetch(this.url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.json();
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function twoOfServer(project, name) {
  const { writes, rewrites } = HOSTS[name];
  const host = await project.agent(name, {
    main: [],
    'session-one': [writes('a.ts', 'one'), { text: 'done' }, rewrites('a.ts', 'one', 'again')],
    'session-two': [
      rewrites('a.ts', 'one', 'two'),
      writes('b.ts', 'two'),
      { text: 'done' },
      rewrites('a.ts', 'again', 'two'),
    ],
  });
  const server = await Api.ofServer(host.installHook());
  const one = await server.session();
  const two = await server.session();
  await server.say(one, 'session-one');
  await server.say(two, 'session-two');
  check(project.read('a.ts') === 'one', 'the second session has written over the first');
  check(host.wasTold(REFUSED, 'session-two'), 'its model was not told why');
  check(project.has('b.ts'), 'another file did not pass');
  const agents = project.claims().map(({ agent }) => agent);
  check(agents.length === 2, `these are not two agents: ${agents}`);
  for (const id of [one, two])
    check(
      agents.some((each) => each.endsWith(id)),
      `no name has ${id}`,
    );
  await server.say(one, 'go on');
  check(project.read('a.ts') === 'again', 'the first session is refused what it has');
  // The end of a session that has no process of its own.
  await server.remove(one);
  await server.say(two, 'go on');
  check(project.read('a.ts') === 'two', 'what a deleted session had is not free');
}

async function twoOfTerminal(project, name) {
  const { writes, rewrites, runs } = HOSTS[name];
  const host = await project.agent(name, {
    main: [],
    'session-one': [
      writes('a.ts', 'one'),
      runs('touch one-wrote; until test -e one-ends; do sleep 0.05; done'),
    ],
    'session-two': [
      rewrites('a.ts', 'one', 'two'),
      { text: 'done' },
      rewrites('a.ts', 'one', 'two'),
    ],
  });
  const terminal = await Api.ofTerminal(host.installHook());
  const one = await terminal.session();
  const two = await terminal.session();
  const working = terminal.say(one, 'session-one');
  await host.until(() => project.has('one-wrote'), 'the first session does not come so far');
  await terminal.say(two, 'session-two');
  check(project.read('a.ts') === 'one', 'the second session has written over the first');
  check(host.wasTold(REFUSED, 'session-two'), 'its model was not told why');
  project.touch('one-ends');
  await working;
  await terminal.say(two, 'go on');
  check(project.read('a.ts') === 'two', 'a session that rests keeps its file from the next one');
}
