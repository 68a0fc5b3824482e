import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type EtcdLocker, type EtcdLockerOptions, etcdLocker } from '../../../src/etcd.js';
import { until } from '../../support/census.js';
import { etcdForTest } from '../../support/etcd-server.js';
import { testFolder } from '../../support/folder.js';
import { needs } from '../../support/tools.js';

const test = needs('etcd', 'openssl');

function locker(options: EtcdLockerOptions): EtcdLocker {
  const made = etcdLocker({ ttl: 5, ...options });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

/** A certificate, signed by itself or by `ca`, in PEM. */
function certificate(folder: string, name: string, ca?: string): void {
  const openssl = (...args: string[]): unknown =>
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', `/CN=${name}`, '-keyout', `${name}.key`];
  if (ca === undefined) {
    openssl('req', '-x509', ...key, ...subject, '-out', `${name}.pem`, '-days', '2');
    return;
  }
  openssl('req', ...key, ...subject, '-out', `${name}.csr`);
  writeFileSync(join(folder, 'extensions'), 'subjectAltName=IP:127.0.0.1,DNS:etcd.test\n');
  const signed = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '2'];
  const request = ['-req', '-in', `${name}.csr`, '-extfile', 'extensions'];
  openssl('x509', ...request, ...signed, '-out', `${name}.pem`);
}

test('over TLS, with a certificate of the client; refused without', async () => {
  const folder = testFolder();
  certificate(folder, 'ca');
  for (const name of ['server', 'client']) certificate(folder, name, 'ca');
  const file = (name: string): string => join(folder, name);
  const { endpoints } = await etcdForTest(1, [
    ...['--cert-file', file('server.pem'), '--key-file', file('server.key')],
    ...['--client-cert-auth', '--trusted-ca-file', file('ca.pem')],
  ]);
  const ca = readFileSync(file('ca.pem'));
  const tls = { ca, cert: readFileSync(file('client.pem')), key: readFileSync(file('client.key')) };
  const [one, other] = [
    locker({ endpoints, tls }),
    // Without a scheme, and by another name of the server.
    locker({
      endpoints: endpoints.map((each) => each.replace('https://', '')),
      tls: { ...tls, servername: 'etcd.test' },
    }),
  ];
  const lock = await one.acquire('n');
  await expect(other.acquire('n', { timeout: 0 })).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
  let waits = false;
  const granted = other.acquire('n', { onWait: () => (waits = true) });
  await until(() => waits);
  await lock.release();
  await (await granted).release();

  const refused: [EtcdLockerOptions['tls'], RegExp][] = [
    [{ ca }, /^(ERR_SSL|ECONNRESET|EPIPE)/],
    [{}, /CERT|SIGNATURE|ISSUER/],
    [{ ...tls, servername: 'other.test' }, /^ERR_TLS_CERT_ALTNAME_INVALID$/],
  ];
  for (const [options, code] of refused) {
    await expect(locker({ endpoints, tls: options }).acquire('n')).rejects.toMatchObject({
      code: expect.stringMatching(code),
    });
  }
  const unchecked = locker({
    endpoints,
    tls: { ...tls, ca: undefined, rejectUnauthorized: false },
  });
  await (await unchecked.acquire('n', { timeout: 0 })).release();
  // What speaks HTTP only is refused by the server as well.
  const plain = endpoints.map((each) => each.replace('https:', 'http:'));
  await expect(locker({ endpoints: plain }).acquire('n')).rejects.toMatchObject({
    code: expect.stringMatching(/^(ERR_LOCK_UNSUPPORTED|ECONNRESET)$/),
  });
});
