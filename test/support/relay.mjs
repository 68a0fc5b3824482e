// Stands between a client and a server of the loopback, and does what networks
// do. For programs that run without a compiler; the tests have tcp-proxy.ts.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** One direction of a connection: what comes in goes out, later or never. */
class Lane {
  #relay;
  #direction;
  #to;
  #held = [];

  constructor(relay, direction, from, to) {
    this.#relay = relay;
    this.#direction = direction;
    this.#to = to;
    from.on('data', (piece) => {
      relay.notice(direction);
      this.#send(() => to.write(piece));
    });
    from.on('end', () => this.#send(() => to.end()));
  }

  #send(deliver) {
    const { silent, delay } = this.#relay;
    if (silent.has(this.#direction) || this.#held.length > 0) this.#held.push(deliver);
    else if (delay > 0) setTimeout(() => this.#arrive(deliver), delay);
    else this.#arrive(deliver);
  }

  /** It was on its way when the silence began. */
  #arrive(deliver) {
    if (this.#relay.silent.has(this.#direction)) this.#held.push(deliver);
    else if (!this.#to.destroyed) deliver();
  }

  flush() {
    for (const deliver of this.#held.splice(0)) if (!this.#to.destroyed) deliver();
  }
}

export class Relay {
  /** Milliseconds that each piece takes on its way, in each direction. */
  delay = 0;
  /** Of `up` and `down`: nothing arrives there, and neither side is notified. */
  silent = new Set();
  /** How often the client spoke after the server: round trips. */
  trips = 0;
  port = 0;
  #last = 'down';
  #server;
  #pairs = new Set();

  static async start(target) {
    const relay = new Relay();
    relay.#server = createServer({ allowHalfOpen: true }, (client) => relay.#pair(client, target));
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    relay.port = relay.#server.address().port;
    return relay;
  }

  /** What was sent meanwhile arrives now, as when a cable is plugged in again. */
  resume() {
    this.silent.clear();
    for (const { lanes } of this.#pairs) for (const lane of lanes) lane.flush();
  }

  /** Resets all connections, on both sides. */
  cut() {
    for (const { client, server } of [...this.#pairs]) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** The server gives up its silent clients, without their knowledge. */
  cutServer() {
    for (const { server } of this.#pairs) server.resetAndDestroy();
  }

  notice(direction) {
    if (direction === 'up' && this.#last === 'down') this.trips++;
    this.#last = direction;
  }

  stop() {
    this.#server.close();
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  #pair(client, target) {
    const server = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    const lanes = [new Lane(this, 'up', client, server), new Lane(this, 'down', server, client)];
    const pair = { client, server, lanes };
    this.#pairs.add(pair);
    const ended = (other, direction) => () => {
      if (client.destroyed && server.destroyed) this.#pairs.delete(pair);
      // In a silence, a reset is not heard of, either.
      if (!this.silent.has(direction)) other.destroy();
      else this.#whenHeard(other, direction);
    };
    for (const [socket, other, direction] of [
      [client, server, 'up'],
      [server, client, 'down'],
    ]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', ended(other, direction));
    }
  }

  #whenHeard(socket, direction) {
    const timer = setInterval(() => {
      if (this.silent.has(direction) && !socket.destroyed) return;
      clearInterval(timer);
      // After what was sent before.
      setTimeout(() => socket.destroy(), 20);
    }, 20);
  }
}
