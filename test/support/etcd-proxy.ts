import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Stands between a locker and a server, and counts the requests. */
export class EtcdProxy {
  /** The paths, in their order, without the keepalives of leases. */
  readonly asked: string[] = [];
  readonly #server;
  readonly #target: string;
  #held: { path: string; body: string } | undefined;
  #toHold: string | undefined;
  #onHeld: (() => void) | undefined;

  static async start(target: string): Promise<EtcdProxy> {
    const proxy = new EtcdProxy(target);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const path = request.url ?? '';
      if (path !== '/v3/lease/keepalive') this.asked.push(path);
      await this.#pass(path, Buffer.concat(chunks).toString(), response);
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      this.#server.close();
      this.#server.closeAllConnections();
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next request for that path gets no answer, and waits for `deliver`. */
  hold(path: string): Promise<void> {
    this.#toHold = path;
    return new Promise((resolve) => {
      this.#onHeld = resolve;
    });
  }

  /** The server gets now what was held, much later than it was asked; its answer. */
  async deliver(): Promise<unknown> {
    if (this.#held === undefined) throw new Error('nothing was held');
    const { path, body } = this.#held;
    const answer = await fetch(this.#target + path, { method: 'POST', body });
    return answer.json();
  }

  async #pass(path: string, body: string, response: ServerResponse): Promise<void> {
    if (path === this.#toHold) {
      this.#toHold = undefined;
      this.#held = { path, body };
      this.#onHeld?.();
      return;
    }
    try {
      const answer = await fetch(this.#target + path, { method: 'POST', body });
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      for await (const chunk of answer.body ?? []) response.write(chunk);
      response.end();
    } catch {
      response.destroy();
    }
  }
}
