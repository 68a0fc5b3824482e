import {
  type ClientRequest,
  type OutgoingHttpHeaders,
  Agent as PlainAgent,
  request as requestPlain,
} from 'node:http';
import { request as requestSecure, Agent as SecureAgent } from 'node:https';
import { clearTimeout, setTimeout } from 'node:timers';
import { urlToHttpOptions } from 'node:url';
import { formatTimeout } from '../../base/errors.js';
import type { Endpoint, EtcdTlsOptions } from './options.js';
import { awayError, connectionError, NO_ETCD, refusal, unsupported } from './server-error.js';

export interface Asking {
  /** Milliseconds. */
  within: number;
  token?: string | undefined;
  background?: boolean;
}

export interface Streaming {
  token: string | undefined;
  signal: AbortSignal;
  onMessage(message: unknown): void;
}

// Statuses of a proxy while the server behind it is away.
const AWAY = [429, 502, 503, 504];

/** One member of the cluster. */
export class Connection {
  readonly url: string;
  readonly #isSecure: boolean;
  readonly #hostname: string | null | undefined;
  readonly #port: string | number | null | undefined;
  readonly #agent: PlainAgent;
  /**
   * A stream would take the idle socket of the agent above, and the question
   * that follows its end would have to connect anew.
   */
  readonly #streaming: PlainAgent;

  constructor({ url, isSecure }: Endpoint, tls: EtcdTlsOptions) {
    this.url = url;
    this.#isSecure = isSecure;
    // Once, and not for each question.
    const { hostname, port } = urlToHttpOptions(new URL(url));
    this.#hostname = hostname;
    this.#port = port;
    // An agent unrefs its idle sockets by itself.
    const agentOf = (keepAlive: boolean): PlainAgent =>
      isSecure ? new SecureAgent({ ...tls, keepAlive }) : new PlainAgent({ keepAlive });
    this.#agent = agentOf(true);
    this.#streaming = agentOf(false);
  }

  /** The answer, or of a stream the first message. */
  ask(
    path: string,
    question: object,
    { within, token, background = false }: Asking,
  ): Promise<unknown> {
    const request = this.#request(this.#agent, path, question, token);
    return new Promise((resolve, reject) => {
      let isSent = false;
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        reject(connectionError(this.url, error, isSent));
      };
      const timer = setTimeout(() => {
        const error = new Error(`nothing came within ${formatTimeout(within)}`);
        fail(Object.assign(error, { code: 'ETIMEDOUT' }));
        request.destroy();
      }, within);
      if (background) timer.unref();
      request.once('socket', (socket) => {
        if (background) socket.unref();
        if (request.reusedSocket) isSent = true;
        // Over TLS, nothing is sent before the handshake is done.
        else socket.once(this.#isSecure ? 'secureConnect' : 'connect', () => (isSent = true));
      });
      request.on('error', fail);
      request.once('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.once('end', () => {
          clearTimeout(timer);
          try {
            resolve(this.#read(response.statusCode, Buffer.concat(chunks).toString()));
          } catch (error) {
            reject(error);
          }
        });
      });
    });
  }

  /** Resolves when the stream ends, rejects if there is none, or it breaks. */
  stream(path: string, question: object, { token, signal, onMessage }: Streaming): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return resolve();
      const request = this.#request(this.#streaming, path, question, token);
      const stop = (): void => {
        request.destroy();
        resolve();
      };
      signal.addEventListener('abort', stop);
      request.once('close', () => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
      request.on('error', (error) => reject(connectionError(this.url, error, true)));
      request.once('response', (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('error', (error) => reject(connectionError(this.url, error, true)));
        response.on('data', (chunk: string) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          try {
            for (const line of lines) {
              if (line !== '') onMessage(this.#read(response.statusCode, line));
            }
          } catch (error) {
            reject(error);
            request.destroy();
          }
        });
      });
    });
  }

  close(): void {
    this.#agent.destroy();
    this.#streaming.destroy();
  }

  #request(
    agent: PlainAgent,
    path: string,
    question: object,
    token: string | undefined,
  ): ClientRequest {
    const body = Buffer.from(JSON.stringify(question));
    const headers: OutgoingHttpHeaders = {
      'content-type': 'application/json',
      'content-length': body.length,
      // A member that is cut off from its leader says so, and ends a stream. Without
      // this, the call would hang and the stream would stay silent.
      'grpc-metadata-hasleader': 'true',
    };
    if (token !== undefined) headers['authorization'] = token;
    const [hostname, port] = [this.#hostname, this.#port];
    const options = { hostname, port, path, method: 'POST', agent, headers };
    const request = this.#isSecure ? requestSecure(options) : requestPlain(options);
    request.end(body);
    return request;
  }

  /** A message, without the wrapping of a stream; throws the error that it is. */
  #read(status = 0, text: string): unknown {
    const message = parse(text);
    if (message === undefined) {
      throw AWAY.includes(status) ? awayError(this.url, status) : unsupported(this.url, NO_ETCD);
    }
    const { error, result } = message;
    // The gateway has had several forms of it: flat, in a field, numbered twice.
    const about = typeof error === 'object' && error !== null ? (error as Message) : message;
    if (error === undefined && (status === 200 || message['code'] === undefined)) {
      return result ?? message;
    }
    const code = Number(about['grpc_code'] ?? about['code'] ?? 2);
    const said = about['message'] ?? error ?? `HTTP ${status}`;
    throw refusal(this.url, code, String(said));
  }
}

type Message = Record<string, unknown>;

function parse(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}
