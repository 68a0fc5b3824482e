export {
  isLockError,
  LockError,
  type LockErrorCode,
  type LockErrorOf,
  LockForceError,
  LockHeldError,
  LockLostError,
  LockStateError,
  LockTimeoutError,
  LockUnsupportedError,
} from './base/errors.js';
export type { Holder } from './base/holder.js';
export type {
  AcquireOptions,
  HeldLock,
  Locker,
  LockerOptions,
  LockMode,
  LockView,
} from './base/locker.js';
export {
  type InspectFolderOptions,
  type InspectOptions,
  inspect,
  inspectFolder,
  type LockState,
  type LockStatus,
  watchLock,
} from './holders/inspect.js';
export type { OtherLock } from './holders/kernel-view.js';
export type { OwnerRecord, RecordFormat } from './holders/owner-record.js';
export { FileLock } from './lock/file-lock.js';
export { type FileLocker, fileLocker } from './lock/file-locker.js';
export type { FileLockOptions } from './lock/options.js';
export { withLock } from './lock/with-lock.js';
export { type WithLocksOptions, withLocks } from './lock/with-locks.js';
