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
export { FileLock, type FileLocker, fileLocker, type HeldLock, type Locker } from './lock/file-lock.js';
export type { Holder } from './base/holder.js';
export {
  type InspectFolderOptions,
  type InspectOptions,
  inspect,
  inspectFolder,
  type LockState,
  type LockStatus,
  watchLock,
} from './holders/inspect.js';
export type { AcquireOptions, FileLockOptions, LockMode } from './lock/options.js';
export type { OwnerRecord, RecordFormat } from './holders/owner-record.js';
export type { OtherLock } from './holders/who-holds.js';
export { withLock } from './lock/with-lock.js';
