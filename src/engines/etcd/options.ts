import type { ConnectionOptions } from 'node:tls';
import { argumentError } from '../../base/argument-errors.js';
import { checkInteger, checkOptions, optionNames } from '../../base/arguments.js';

/** As `node:tls` takes them. */
export type EtcdTlsOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'
>;

export interface EtcdLockerOptions {
  /**
   * The members of one cluster, as `host:port`, `http://host:port` or
   * `https://host:port`. The port is 2379 where there is none. They are tried in
   * turn.
   */
  endpoints: string | readonly string[];
  /**
   * How long, in seconds, the server keeps the locks of a process that it no
   * longer hears from: 2 to 86400. Default 20. The server may grant a longer one,
   * which then counts. A lock is given up after two thirds of it without an answer.
   */
  ttl?: number | undefined;
  /** With `password`, where the cluster asks for them. */
  user?: string | undefined;
  password?: string | undefined;
  /** For `https:` endpoints. An endpoint without a scheme then is one. */
  tls?: EtcdTlsOptions | undefined;
  /** Put in front of every name: a part of the keys that the user's role permits. */
  prefix?: string | undefined;
  /** What others read as the command of the holder. Default: the command line. */
  command?: string | undefined;
}

export interface Endpoint {
  /** `https://host:port`. */
  readonly url: string;
  readonly isSecure: boolean;
}

export interface CheckedOptions {
  readonly endpoints: readonly Endpoint[];
  readonly ttl: number;
  readonly credentials: { readonly name: string; readonly password: string } | undefined;
  readonly tls: EtcdTlsOptions;
  readonly prefix: string;
  readonly command: string | undefined;
}

const NAMES = optionNames<EtcdLockerOptions>({
  endpoints: true,
  ttl: true,
  user: true,
  password: true,
  tls: true,
  prefix: true,
  command: true,
});
const TLS_NAMES = optionNames<EtcdTlsOptions>({
  ca: true,
  cert: true,
  key: true,
  passphrase: true,
  servername: true,
  rejectUnauthorized: true,
});

const DEFAULT_TTL = 20;
// The server rounds a shorter one up.
const SHORTEST_TTL = 2;
const LONGEST_TTL = 86_400;

export function checkEtcdOptions(options: EtcdLockerOptions): CheckedOptions {
  // It has no default: without any, its check says what is missing.
  const given = checkOptions<EtcdLockerOptions>(options ?? { endpoints: [] }, NAMES);
  const { endpoints, ttl = DEFAULT_TTL, user, password, tls, prefix, command } = given;
  checkText(user, 'options.user');
  checkText(password, 'options.password');
  if ((user === undefined) !== (password === undefined)) {
    const missing = user === undefined ? 'user' : 'password';
    const rule = 'given too: "user" and "password" go together';
    throw argumentError('ERR_INVALID_ARG_VALUE', `options.${missing}`, rule, undefined);
  }
  return {
    endpoints: checkEndpoints(endpoints, tls !== undefined),
    ttl: checkInteger(ttl, 'options.ttl', SHORTEST_TTL, LONGEST_TTL),
    credentials: user === undefined ? undefined : { name: user, password: password ?? '' },
    tls: checkOptions<EtcdTlsOptions>(tls, TLS_NAMES, 'options.tls'),
    prefix: checkText(prefix, 'options.prefix') ?? '',
    command: checkText(command, 'options.command'),
  };
}

function checkText(value: unknown, name: string): string | undefined {
  if (value !== undefined && typeof value !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a string', value);
  }
  return value;
}

function checkEndpoints(given: unknown, hasTls: boolean): Endpoint[] {
  const all: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (all.length === 0) {
    throw argumentError('ERR_INVALID_ARG_VALUE', 'options.endpoints', 'at least one', given);
  }
  return all.map((each) => checkEndpoint(each, hasTls));
}

// Not with URL alone: that forgets a port 80, and takes paths and passwords.
const ENDPOINT = /^(?:(https?):\/\/)?(\[[\da-f:.]+\]|[^\s/?#@:[\]]+)(?::(\d{1,5}))?\/?$/i;
const DEFAULT_PORT = '2379';

function checkEndpoint(value: unknown, hasTls: boolean): Endpoint {
  const name = 'options.endpoints';
  if (typeof value !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a string or an array of strings', value);
  }
  const [matched, scheme, host, port = DEFAULT_PORT] = ENDPOINT.exec(value) ?? [];
  const isSecure = scheme === undefined ? hasTls : scheme.toLowerCase() === 'https';
  const url = `${isSecure ? 'https' : 'http'}://${host}:${port}`;
  if (matched === undefined || !URL.canParse(url)) {
    const rule = 'of the form http://host:port, without a user, a path or a query';
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, withoutPassword(value));
  }
  if (hasTls && !isSecure) {
    const rule = 'https: where "tls" is given, since http: would ignore it';
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, value);
  }
  return { url, isSecure };
}

/** For messages, which may end up in a log. */
function withoutPassword(endpoint: string): string {
  return endpoint.replace(/\/\/.*@/s, '//***@').replace(/^[^/]*@/s, '***@');
}
