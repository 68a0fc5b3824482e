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
} from './errors.js';
export { FileLock, type FileLocker, fileLocker, type HeldLock, type Locker } from './file-lock.js';
export type { Holder } from './holder.js';
export {
  type InspectFolderOptions,
  type InspectOptions,
  inspect,
  inspectFolder,
  type LockState,
  type LockStatus,
  watchLock,
} from './inspect.js';
export type { AcquireOptions, FileLockOptions, LockMode } from './options.js';
export type { OwnerRecord, RecordFormat } from './owner-record.js';
export type { OtherLock } from './who-holds.js';
export { withLock } from './with-lock.js';
