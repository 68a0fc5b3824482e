// What the benches of claims claim, and the folders they do it in.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** Entries of one agent in a package of its own: mostly files, a few folders and patterns. */
export function scope(name, count) {
  const base = `packages/${name}`;
  const few = Math.max(1, Math.round(count / 20));
  const directories = Array.from({ length: 2 * few }, (_, at) => `${base}/lib/part-${at}/`);
  const patterns = Array.from({ length: few }, (_, at) => `${base}/test/**/*-${at}.test.ts`);
  const files = Array.from(
    { length: count - 3 * few },
    (_, at) => `${base}/src/${['routes', 'model', 'view'][at % 3]}/[id]/module-${at}.ts`,
  );
  return { agent: name, files: [...files, ...patterns], directories };
}

export const scopes = (count, entries) =>
  Array.from({ length: count }, (_, at) => scope(`agent-${at}`, entries));

/** Only paths that are spelled out, 50 to an agent. */
export function literal(entries) {
  return Array.from({ length: entries / 50 }, (_, at) => ({
    agent: `agent-${at}`,
    files: Array.from({ length: 50 }, (_, file) => `packages/p-${at}/src/module-${file}.ts`),
  }));
}

/** Every request also wants a folder of another's, and all tests of some packages. */
export function crowded(requests) {
  return requests.map(({ agent, files, directories }, at) => ({
    agent,
    files: [
      ...files.slice(3),
      `packages/agent-${at % 20}*/src/**/module-${at % 30}.ts`,
      `packages/agent-${(at * 7) % 200}/src/routes/[id]/module-3.ts`,
      `packages/agent-${(at * 11) % 200}/test/**`,
    ],
    directories: [...directories.slice(1), `packages/agent-${(at * 13) % 200}/lib/`],
  }));
}

/** One in ten wants something of its neighbour's. */
export function somewhatCrowded(requests) {
  return requests.map((request, at) =>
    at % 10 === 0
      ? { ...request, files: [...request.files.slice(1), `packages/agent-${at + 1}/src/**/*-0.ts`] }
      : request,
  );
}

export class ClaimsFolder {
  #folder;
  #files = 0;

  constructor(folder) {
    this.#folder = join(folder, 'claims');
    mkdirSync(this.#folder);
  }

  get root() {
    return this.#folder;
  }

  input(requests) {
    const file = join(this.#folder, `input-${this.#files++}.json`);
    writeFileSync(file, JSON.stringify(requests));
    return file;
  }

  directory(name) {
    const path = join(this.#folder, name);
    mkdirSync(path);
    return path;
  }

  /** A folder with the files of claims, as the package writes them. */
  claimed(name, requests) {
    const directory = this.directory(name);
    const now = Math.floor(Date.now() / 1000) * 1000;
    const at = (milliseconds) => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
    for (const { agent, files, directories } of requests) {
      const fields = {
        agent,
        locked_at: at(now),
        files,
        ...(directories !== undefined && { directories }),
        task_description: `What ${agent} is to do`,
        expires_at: at(now + DAY),
        id: crypto.randomUUID(),
      };
      writeFileSync(join(directory, `${agent}.lock`), `${JSON.stringify(fields)}\n`);
    }
    return directory;
  }
}
