import { usageError } from './exit-codes.js';
import { parseTime } from './time.js';
import { isEscaped } from './words.js';

interface Common {
  /** As the user wrote it. It has no password. */
  readonly typed: string;
  /** Of the lock. */
  readonly name: string;
}

export interface PostgresUrl extends Common {
  readonly engine: 'postgres';
  /** For `pg`. */
  readonly connect: string;
  /** Milliseconds. */
  readonly loss: number | undefined;
}

export interface EtcdUrl extends Common {
  readonly engine: 'etcd';
  /** Empty: those of the environment. */
  readonly endpoints: readonly string[];
  readonly isSecure: boolean;
  /** Seconds. */
  readonly ttl: number | undefined;
}

/** A lock of a server. */
export type LockUrl = PostgresUrl | EtcdUrl;

export interface UrlOptions {
  /** The URL may name a server only; the name is then empty. */
  nameless?: boolean;
}

/**
 * A command whose lock is lost gets SIGTERM, and SIGKILL five seconds later. So
 * that this is before the next grant, there must be that time and a second more
 * between the loss heard and the lock freed:
 *   - etcd: heard after two thirds of `ttl`, freed after the whole;
 *   - PostgreSQL: heard after a third of `loss`, freed after the whole.
 */
const SHORTEST_TTL = 18_000;
const SHORTEST_LOSS = 9000;
const LONGEST_TTL = 86_400_000;
const LONGEST_LOSS = 3_600_000;

const SCHEMES = ['postgres', 'postgresql', 'etcd', 'etcds'];

/** Those that `pg` heeds. */
const OF_POSTGRES = [
  'application_name',
  'client_encoding',
  'host',
  'options',
  'port',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslnegotiation',
  'sslrootcert',
  'uselibpqcompat',
  'user',
];

const PARTS = /^([a-z]+):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?(?:#(.*))?$/is;
const HOST = /^(\[[\da-f:.]+(?:%25\w+)?\]|[^\s:[\]]*)(?::(\d{1,5}))?$/i;

/** Throws usage errors. Their messages do not repeat the URL: it may have a password. */
export function parseLockUrl(
  typed: string,
  command: string,
  { nameless = false }: UrlOptions = {},
): LockUrl {
  const fail = (message: string): never => {
    throw usageError(message, command);
  };
  const [, scheme = '', authority = '', path = '', query = '', fragment] = PARTS.exec(typed) ?? [];
  if (/^[a-z]+:(?!\/\/)/i.test(typed)) {
    fail(
      'the URL needs two slashes after its scheme: postgres://… or etcd://…; for a file, write ./ in front',
    );
  }
  if (!SCHEMES.includes(scheme.toLowerCase())) {
    fail(
      'the scheme of the URL is unknown: use postgres://…, etcd://… or etcds://…; for a file, write ./ in front',
    );
  }
  const isEtcd = scheme.toLowerCase().startsWith('etcd');
  const encoded = isEtcd ? path : (fragment ?? '');
  const form = isEtcd ? 'etcd://HOST:PORT/NAME' : 'postgres://HOST/DATABASE#NAME';
  if (isEscaped(typed)) fail('the URL is not UTF-8; write other bytes as %XX');
  if (/[\0-\x20\x7f]/.test(typed.slice(0, typed.length - (fragment?.length ?? 0)))) {
    fail(`the URL has a space or a control character; write it as %XX: ${form}`);
  }
  if (!/^(?:[^%]|%[\da-f]{2})*$/i.test(typed))
    fail('the URL has a % that escapes nothing; write it as %25');
  const name = decode(encoded) ?? fail('the name of the lock in the URL is not UTF-8');
  if (name.includes('\0')) fail('the name of the lock must not contain %00');
  if (name === '' && !nameless) fail(`the URL does not name a lock: ${form}`);
  const parameters = parametersOf(query, fail);
  const parts = { typed, name, authority, path, parameters, command, fail };
  if (!isEtcd) return postgresUrl(parts);
  if (fragment !== undefined) fail('the URL of etcd has a #; in a name, write it as %23');
  return etcdUrl(parts, scheme.toLowerCase() === 'etcds');
}

interface Parts extends Common {
  authority: string;
  path: string;
  parameters: Map<string, string>;
  command: string;
  fail: (message: string) => never;
}

function postgresUrl(parts: Parts): PostgresUrl {
  const { typed, name, authority, path, parameters, command, fail } = parts;
  const at = authority.lastIndexOf('@');
  const [user = '', password = ''] = at < 0 ? [] : splitOnce(authority.slice(0, at), ':');
  if (password !== '' || parameters.has('password')) {
    fail(`the URL has a password, and ${VISIBLE}; use PGPASSWORD or PGPASSFILE`);
  }
  const address = authority.slice(at + 1);
  const hosts = `${address},${parameters.get('host') ?? ''}`.replace(/^,|,$/g, '');
  if (hosts.includes(',')) fail('the URL has several hosts; give the primary alone');
  const [, host = '', port = ''] = HOST.exec(address) ?? fail(BAD_HOST);
  const loss = timeOf('loss', parameters, command);
  if (loss !== undefined && (loss < SHORTEST_LOSS || loss > LONGEST_LOSS)) {
    fail(`loss is from 9s, so that a command has ended before the next one runs, to 1h`);
  }
  for (const each of parameters.keys()) {
    if (each === 'ttl') fail('ttl is for etcd; for PostgreSQL use loss');
    if (!OF_POSTGRES.includes(each)) fail(unknown(each, ['loss', ...OF_POSTGRES]));
  }
  // Without a host, a port of the authority is no URL to pg.
  if (host === '' && port !== '' && !parameters.has('port')) parameters.set('port', port);
  const place = `${user === '' ? '' : `${user}@`}${host}${host === '' || port === '' ? '' : `:${port}`}`;
  const query = String(new URLSearchParams([...parameters]));
  const connect = `postgres://${place}/${path}${query === '' ? '' : `?${query}`}`;
  if (!URL.canParse(connect.replace('@/', '@host/'))) fail(BAD_HOST);
  return { engine: 'postgres', typed, name, connect, loss };
}

function etcdUrl(parts: Parts, isSecure: boolean): EtcdUrl {
  const { typed, name, authority, parameters, command, fail } = parts;
  if (authority.includes('@')) {
    const what = authority.includes(':') ? `a password, and ${VISIBLE}` : 'a user';
    fail(`the URL has ${what}; use ETCDCTL_USER and ETCDCTL_PASSWORD`);
  }
  const endpoints = authority === '' ? [] : authority.split(',');
  for (const each of endpoints) {
    const [, host = ''] = HOST.exec(each) ?? fail(BAD_HOST);
    if (host === '' || !URL.canParse(`http://${each}`)) fail(BAD_HOST);
  }
  const ttl = timeOf('ttl', parameters, command);
  if (ttl !== undefined && (ttl < SHORTEST_TTL || ttl > LONGEST_TTL)) {
    fail('ttl is from 18s, so that a command has ended before the next one runs, to 1d');
  }
  if (ttl !== undefined && ttl % 1000 !== 0) fail('ttl takes whole seconds');
  for (const each of parameters.keys()) {
    fail(each === 'loss' ? 'loss is for PostgreSQL; for etcd use ttl' : unknown(each, ['ttl']));
  }
  return { engine: 'etcd', typed, name, endpoints, isSecure, ttl: ttl && ttl / 1000 };
}

const VISIBLE = 'every user of this machine can read the command line';
const BAD_HOST = 'the URL is malformed: after // comes HOST or HOST:PORT';

function unknown(parameter: string, known: readonly string[]): string {
  return `unknown parameter '${parameter}' in the URL; it takes ${known.join(', ')}`;
}

function parametersOf(query: string, fail: (message: string) => never): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (parameters.has(key)) fail(`the URL has the parameter '${key}' twice`);
    parameters.set(key, value);
  }
  return parameters;
}

/** Takes it out. */
function timeOf(key: string, parameters: Map<string, string>, command: string): number | undefined {
  const text = parameters.get(key);
  parameters.delete(key);
  return text === undefined ? undefined : Math.round(parseTime(text, key, command));
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
