import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HOSTS, type HostName } from '../../src/agents/hosts.js';
import { type InstallRequest, planInstallation } from '../../src/agents/install/install.js';
import { testFolder } from './folder.js';

export const PACKAGE = {
  node: process.execPath,
  hook: "/it's here/dist/hook.cjs",
  command: '/it is/dist/cli/holdfast.js',
};

/** A home with the settings of hosts. */
export class Place {
  readonly home = realpathSync(testFolder());

  request(name: HostName, more: Partial<InstallRequest> = {}): InstallRequest {
    return {
      host: HOSTS[name],
      project: null,
      remove: false,
      package: PACKAGE,
      unclaimed: null,
      directory: null,
      gitHooks: join(this.home, 'hooks'),
      env: { HOME: this.home },
      ...more,
    };
  }

  plan(name: HostName, more?: Partial<InstallRequest>) {
    return planInstallation(this.request(name, more));
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
