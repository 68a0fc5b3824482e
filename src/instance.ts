export { AlreadyRunningError } from './base/errors.js';
export {
  type InstanceForceOptions,
  InstanceLock,
  type InstanceLockOptions,
  instanceLocker,
} from './instance/instance-lock.js';
