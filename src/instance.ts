export {
  AlreadyRunningError,
  type InstanceForceOptions,
  InstanceLock,
  type InstanceLockOptions,
  instanceLocker,
} from './instance-lock.js';
