export { AlreadyRunningError } from './base/errors.js';
export { InstanceLock, instanceLocker } from './instance/instance-lock.js';
export type { InstanceForceOptions, InstanceLockOptions } from './instance/options.js';
