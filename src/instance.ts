export {
  AlreadyRunningError,
  type InstanceForceOptions,
  InstanceLock,
  type InstanceLockOptions,
  instanceLocker,
} from './instance/instance-lock.js';
