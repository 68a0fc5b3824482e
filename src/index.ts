export type { AcquireOptions, FileLockOptions, LockMode } from './acquire.js';
export {
  isLockError,
  LockError,
  type LockErrorCode,
  LockForceError,
  LockHeldError,
  LockLostError,
  LockStateError,
  LockTimeoutError,
  LockUnsupportedError,
} from './errors.js';
export { FileLock, fileLocker, type HeldLock, type Locker, withLock } from './file-lock.js';
export type { Holder } from './holder.js';
export {
  type InspectOptions,
  inspect,
  inspectFolder,
  type LockState,
  type LockStatus,
  watchLock,
} from './inspect.js';
export type { OwnerRecord, RecordFormat } from './owner-record.js';
