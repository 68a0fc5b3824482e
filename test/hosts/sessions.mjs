// Several sessions in one process of a host.
import { check, inProject } from './agents.mjs';
import { HOSTS } from './hosts.mjs';

export const SESSION_CASES = [
  {
    title: 'two sessions of one server are two agents',
    hosts: ['opencode'],
    run: (name) => inProject((project) => twoOfServer(project, name)),
  },
];

const REFUSED = 'another agent is working there';

/** The API of a server of opencode. */
class Server {
  constructor(url) {
    this.url = url;
  }

  static async start(agent, args) {
    agent.start(args);
    const found = () => /listening on (http:\/\/\S+)/.exec(agent.output)?.[1];
    await agent.until(found, 'the server does not listen');
    return new Server(found());
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

async function twoOfServer(project, name) {
  const { writes, rewrites, serverArgs } = HOSTS[name];
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
  const server = await Server.start(host.installHook(), serverArgs);
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
