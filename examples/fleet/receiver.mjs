// What the fleet writes to: it remembers the largest token of each kind of
// effect, and refuses smaller ones. A lock alone cannot do that: a holder may be
// suspended between its last check of the lock and its write.
import { createServer } from 'node:http';

export class Receiver {
  accepted = [];
  refused = [];
  #largest = new Map();
  #nights = new Set();
  #server = createServer((request, answer) => void this.#answer(request, answer));

  async start() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request, answer) {
    if (request.method === 'GET') {
      const night = Number(request.url.split('/').at(-1));
      return answer.end(JSON.stringify({ done: this.#nights.has(night) }));
    }
    let text = '';
    for await (const part of request.setEncoding('utf8')) text += part;
    answer.end(JSON.stringify({ accepted: this.take(JSON.parse(text)) }));
  }

  /** The check that makes a lock safe: in a database, `UPDATE … WHERE token <= $1`. */
  take(effect) {
    const { kind, token, night } = effect;
    const isOld = token < (this.#largest.get(kind) ?? 0);
    (isOld ? this.refused : this.accepted).push({ ...effect, at: performance.now() });
    if (isOld) return false;
    this.#largest.set(kind, token);
    if (night !== undefined) this.#nights.add(night);
    return true;
  }
}
