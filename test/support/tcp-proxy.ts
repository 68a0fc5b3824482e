import { connect, createServer, type Server, type Socket } from 'node:net';

type Direction = 'up' | 'down';

/**
 * Stands between a client and a server, and does what networks do: delays,
 * swallows what goes one way, cuts.
 */
export class TcpProxy {
  /** Milliseconds that each piece takes on its way, in each direction. */
  delay = 0;
  /** What is swallowed; the connections stay open. */
  readonly silent = new Set<Direction>();
  /** How often the direction has changed from the server's back to the client's. */
  turns = 0;
  port = 0;
  #last: Direction = 'down';
  readonly #server: Server;
  readonly #pairs = new Set<[client: Socket, server: Socket]>();

  private constructor(target: number) {
    this.#server = createServer((client) => this.#pair(client, connect(target, '127.0.0.1')));
  }

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    proxy.port = (proxy.#server.address() as { port: number }).port;
    return proxy;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Nothing gets through any more, and nobody is told. */
  swallow(...directions: Direction[]): void {
    for (const each of directions) this.silent.add(each);
  }

  /** Resets all connections. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await closed;
  }

  #pair(client: Socket, server: Socket): void {
    const pair: [Socket, Socket] = [client, server];
    this.#pairs.add(pair);
    this.#pass('up', client, server);
    this.#pass('down', server, client);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        // A cut that is swallowed is not heard of, either.
        if (this.silent.size === 0) for (const each of pair) each.destroy();
      });
    }
  }

  #pass(direction: Direction, from: Socket, to: Socket): void {
    from.on('data', (piece) => {
      if (this.silent.has(direction)) return;
      if (direction === 'up' && this.#last === 'down') this.turns++;
      this.#last = direction;
      const send = (): void => {
        if (!this.silent.has(direction)) to.write(piece);
      };
      if (this.delay > 0) setTimeout(send, this.delay);
      else send();
    });
  }
}
