import type { LockUrl } from './lock-url.js';

/** What to do about a failure of the server, or of the way to it, as `; …`. May be empty. */
export function adviceOn(error: unknown, text: string, { engine, ...url }: LockUrl): string {
  const code = String((error as { code?: unknown }).code);
  const isSecure = 'isSecure' in url && url.isSecure;
  if (UNKNOWN_CA.test(code)) {
    return engine === 'etcd'
      ? '; ETCDCTL_CACERT has to name the file of the CA that signed it'
      : '; sslrootcert=FILE in the URL names the file of the CA that signed it';
  }
  if (engine === 'postgres') {
    if (code === '28P01') return '; look into PGPASSWORD or PGPASSFILE';
    return CONNECT_TIMEOUT.test(text) ? '; is this the port of a PostgreSQL server?' : '';
  }
  if (code === 'ECONNRESET' || code === 'EPROTO') {
    return isSecure
      ? '; if the server does not use TLS, write etcd://'
      : '; if the server uses TLS, write etcds://';
  }
  if (NOT_KNOWN.test(text)) return '; set ETCDCTL_USER to NAME:PASSWORD';
  if (code === 'PERMISSION_DENIED') {
    return `; the user of ETCDCTL_USER needs to read and write the keys below ${url.name}/`;
  }
  return '';
}

const UNKNOWN_CA =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/;

// What pg says if the server accepts and then says nothing.
const CONNECT_TIMEOUT = /^timeout expired$/;

const NOT_KNOWN = /user name is empty|authentication failed/;
