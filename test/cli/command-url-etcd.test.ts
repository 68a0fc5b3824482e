import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { describe, expect, onTestFinished } from 'vitest';
import { until } from '../support/census.js';
import { finish, start } from '../support/command.js';
import { FREE, heldBy, hold, tryRun } from '../support/command-url.js';
import { type Etcd, etcdForFile, etcdForTest } from '../support/etcd-server.js';
import { Etcdctl } from '../support/etcdctl.js';
import { testFolder } from '../support/folder.js';
import { isAlive } from '../support/kernel.js';
import { limit } from '../support/limit.js';
import { needs } from '../support/tools.js';

const etcd = etcdForFile();
const test = needs('etcd', 'etcdctl');
let count = 0;

function urlOf(cluster: Etcd = etcd): { url: string; name: string } {
  const name = `lock ${process.pid}/${++count}`;
  const hosts = cluster.endpoints.map((each) => new URL(each).host).join(',');
  return { url: `etcd://${hosts}/${name.replace(' ', '%20')}`, name };
}

describe('holdfast run with a lock of etcd', () => {
  test('runs the command with the token, which grows, and leaves nothing', async () => {
    const { url, name } = urlOf();
    let last = 0;
    for (const code of [0, 7]) {
      const ran = await finish(['run', url, '-c', `echo $HOLDFAST_TOKEN; exit ${code}`]);
      expect(ran).toMatchObject({ code, stderr: '' });
      expect(Number(ran.stdout)).toBeGreaterThan(last);
      last = Number(ran.stdout);
    }
    expect(await etcd.keys(name)).toEqual([]);
  });

  test('refuses as on files, and names the holder', async () => {
    const { url } = urlOf();
    const { holder } = await hold(url);
    const refused = await tryRun(url);
    expect(refused).toMatchObject({ code: 75, stdout: '' });
    expect(refused.stderr.split('\n')[0]).toMatch(heldBy(url, holder.pid));
    const late = await finish(['run', '-w', '300ms', '-E', '9', url, 'echo', 'ran']);
    expect(late).toMatchObject({ code: 9, stdout: '' });
    expect(late.stderr).toContain(`holdfast: gave up after 300 ms: ${url} is held by pid`);
  });

  test('waits its turn, and is granted at once when the holder’s command has ended', async () => {
    const { url } = urlOf();
    const { child } = await hold(url);
    const second = start(['run', url, 'echo', 'ran']);
    await second.says('waiting', 'stderr');
    process.kill(child, 'SIGKILL');
    const began = performance.now();
    expect(await second.exited).toMatchObject({ code: 0, stdout: 'ran\n' });
    expect(performance.now() - began).toBeLessThan(limit(8000));
  });

  test('SIGTERM ends a wait, and nobody waits behind it until the lease ends', async () => {
    const { url, name } = urlOf();
    const { child } = await hold(url);
    const second = start(['run', url, 'echo', 'second']);
    await second.says('waiting', 'stderr');
    await until(async () => (await etcd.keys(name)).length === 2);
    expect(await second.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM', stdout: '' });
    expect(await etcd.keys(name)).toHaveLength(1);
    process.kill(child, 'SIGKILL');
  });

  test('holdfast killed: its command ends, too', async () => {
    const { url } = urlOf();
    const { holder, child } = await hold(url);
    await holder.kill('SIGKILL');
    await until(() => !isAlive(child));
    // The lease is still there.
    expect(await tryRun(url)).toMatchObject({ code: 75 });
  });

  needs('etcd', 'etcdctl')(
    'holdfast killed: another one is granted when the lease has ended',
    { tags: ['long'] },
    async () => {
      const { url } = urlOf();
      const { holder } = await hold(`${url}?ttl=18`);
      const began = performance.now();
      await holder.kill('SIGKILL');
      expect(await finish(['run', '-q', url, 'echo', 'ran'])).toMatchObject(FREE);
      expect(performance.now() - began).toBeLessThan(limit(19_500));
    },
  );

  test('a lease that is revoked: a line, SIGTERM, and 65', async () => {
    const { url, name } = urlOf();
    const { holder, child } = await hold(`${url}?ttl=18`);
    const [key = ''] = await etcd.keys(name);
    await etcd.ctl('lease', 'revoke', key.slice(key.lastIndexOf('/') + 1));
    const { code, stderr } = await holder.exited;
    expect(isAlive(child)).toBe(false);
    expect({ code, lines: stderr.split('\n').length }).toEqual({ code: 65, lines: 2 });
    expect(stderr).toContain(`holdfast: ${url}?ttl=18 is lost`);
    expect(stderr).toContain('; ending sh\n');
  });

  test('a key that is deleted: at the end of the command it is 65', async () => {
    const { url, name } = urlOf();
    const { holder, child } = await hold(url);
    await etcd.ctl('del', '--prefix', name);
    process.kill(child, 'SIGTERM');
    const { code, stderr } = await holder.exited;
    expect({ code, stderr }).toMatchObject({ code: 65 });
    expect(stderr).toContain(`${url} is lost`);
  });
});

describe('etcdctl', () => {
  test('lock waits while the command runs', async () => {
    const { url, name } = urlOf();
    const { child } = await hold(url);
    const other = new Etcdctl(etcd, 'lock', name);
    await until(async () => (await etcd.keys(name)).length === 2);
    expect(other.output).toBe('');
    process.kill(child, 'SIGKILL');
    await until(() => other.output.includes(name));
    const { code, stderr } = await tryRun(url);
    expect({ code, stderr }).toMatchObject({ code: 75 });
    expect(stderr).toContain(`${url} is held by an unknown process`);
    await other.end();
    expect(await tryRun(url)).toMatchObject(FREE);
  });
});

describe('what the cluster, or the way to it, says', () => {
  test('an unknown host, a closed port: 65', async () => {
    for (const [host, says] of [
      ['no.such.host.invalid', 'no.such.host.invalid'],
      ['127.0.0.1:1', 'ECONNREFUSED'],
    ] as const) {
      const { code, stdout, stderr } = await tryRun(`etcd://${host}/x`);
      expect({ code, stdout }).toEqual({ code: 65, stdout: '' });
      expect(stderr).toContain(`holdfast: etcd://${host}/x: `);
      expect(stderr).toContain(says);
    }
  });

  test('without a host, ETCDCTL_ENDPOINTS tells', async () => {
    const env = { ETCDCTL_ENDPOINTS: etcd.endpoints.join(',') };
    const { url } = urlOf();
    const { holder } = await hold(url);
    const local = url.replace(/\/\/[^/]*/, '//');
    const { code, stderr } = await tryRun(local, env);
    expect({ code, stderr }).toMatchObject({ code: 75 });
    expect(stderr).toContain(`${local} is held by pid ${holder.pid}`);
    expect(stderr).toContain(`on ${hostname()}`);
    const bad = await tryRun(local, { ETCDCTL_ENDPOINTS: 'a/b' });
    expect(bad).toMatchObject({ code: 64, stdout: '' });
  });

  needs(
    'etcd',
    'etcdctl',
    'openssl',
  )('over TLS, with the certificates of ETCDCTL_*', async () => {
    const folder = testFolder();
    const [key, certificate] = [join(folder, 'key'), join(folder, 'certificate')];
    const words = `req -new -x509 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${certificate}`;
    execFileSync('openssl', words.split(' '), { stdio: 'ignore' });
    const port = await tlsInFrontOf(etcd, key, certificate);
    const url = urlOf().url.replace(/^etcd:\/\/[^/]*/, `etcds://127.0.0.1:${port}`);
    const trusted = { ETCDCTL_CACERT: certificate };
    const own = { ...trusted, ETCDCTL_CERT: certificate, ETCDCTL_KEY: key };
    expect(await tryRun(url, own)).toMatchObject(FREE);
    // Without our certificate, without trust in the server's, and without a file.
    const file = { ETCDCTL_CACERT: join(folder, 'nothing') };
    for (const env of [trusted, {}, file]) {
      const refused = await tryRun(url, env);
      expect(refused).toMatchObject({ code: 65, stdout: '' });
      expect(refused.stderr).toContain(env === trusted ? url : 'ETCDCTL_CACERT');
    }
    // Without TLS where the server wants it, and the reverse.
    const wrong = [
      [url.replace('etcds:', 'etcd:'), 'write etcds://'],
      [urlOf().url.replace('etcd:', 'etcds:'), 'write etcd://'],
    ] as const;
    for (const [typed, says] of wrong) {
      const refused = await tryRun(typed, own);
      expect(refused).toMatchObject({ code: 65, stdout: '' });
      expect(refused.stderr).toContain(says);
    }
  });

  test('users and passwords come from the environment; what is refused is 65', async () => {
    const own = await etcdForTest();
    await own.ctl('user', 'add', 'root:hunter2');
    await own.ctl('auth', 'enable');
    const { url } = urlOf(own);
    const both = { ETCDCTL_USER: 'root:hunter2' };
    const apart = { ETCDCTL_USER: 'root', ETCDCTL_PASSWORD: 'hunter2' };
    onTestFinished(() => own.stop());
    for (const env of [both, apart]) expect(await tryRun(url, env)).toMatchObject(FREE);
    for (const env of [{}, { ETCDCTL_USER: 'root:wrong' }]) {
      const refused = await tryRun(url, env);
      expect(refused).toMatchObject({ code: 65, stdout: '' });
      expect(refused.stderr).toContain(`holdfast: ${url}: `);
      expect(refused.stderr).toContain('ETCDCTL_USER');
      expect(refused.stderr).not.toContain('hunter2');
    }
  });
});

/** Wants a certificate of its clients. */
async function tlsInFrontOf(cluster: Etcd, key: string, certificate: string): Promise<number> {
  const [keyText, text] = [readFileSync(key), readFileSync(certificate)];
  const options = { key: keyText, cert: text, ca: text, requestCert: true };
  const server = createServer(options, (socket) => {
    const target = connect(Number(new URL(cluster.server.endpoint).port), '127.0.0.1');
    socket.on('error', () => target.destroy());
    target.on('error', () => socket.destroy());
    socket.pipe(target).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
