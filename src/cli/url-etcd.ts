import { readFileSync } from 'node:fs';
import { type EtcdLocker, etcdLocker } from '../engines/etcd/locker.js';
import { EXIT, Exit } from './exit-codes.js';
import type { EtcdUrl } from './lock-url.js';

/** With what the environment says, in the variables of etcdctl. */
export function openEtcd(url: EtcdUrl, command: string): EtcdLocker {
  return etcdLocker({ ...endpointsOf(url), ...credentials(), ttl: url.ttl, command });
}

function given(variable: string): string | undefined {
  const value = process.env[variable];
  return value === '' ? undefined : value;
}

const DEFAULT_ENDPOINT = '127.0.0.1:2379';

function endpointsOf({ endpoints, isSecure }: EtcdUrl): { endpoints: string[]; tls?: object } {
  const ofEnvironment = (given('ETCDCTL_ENDPOINTS') ?? DEFAULT_ENDPOINT).split(',');
  const all = endpoints.length === 0 ? ofEnvironment : [...endpoints];
  if (!isSecure) return { endpoints: all };
  const files = { ca: 'ETCDCTL_CACERT', cert: 'ETCDCTL_CERT', key: 'ETCDCTL_KEY' };
  const tls: Record<string, Buffer> = {};
  for (const [option, variable] of Object.entries(files)) {
    const file = given(variable);
    if (file !== undefined) tls[option] = read(file, variable);
  }
  return { endpoints: all, tls };
}

function read(file: string, variable: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Exit(EXIT.data, `cannot read the file of ${variable}: ${(error as Error).message}`);
  }
}

/** As etcdctl reads them. */
function credentials(): { user?: string; password?: string } {
  const text = given('ETCDCTL_USER');
  if (text === undefined) return {};
  const at = text.indexOf(':');
  const password = at < 0 ? given('ETCDCTL_PASSWORD') : text.slice(at + 1);
  if (password !== undefined) return { user: at < 0 ? text : text.slice(0, at), password };
  throw new Exit(
    EXIT.usage,
    'ETCDCTL_USER has no password; use NAME:PASSWORD, or ETCDCTL_PASSWORD',
  );
}
