// Locks on Windows. There is no flock: LockFileEx locks ranges of bytes, and
// nobody else may even read a locked byte. So the lock is on one byte far
// beyond the end of any file, and the record stays readable.
//
// The lock belongs to the open handle, as a flock belongs to its description,
// and ends with the handle or the process. The differences from flock(2) are in
// docs/platforms-windows.md.
#include <errno.h>

#include "handle.h"
#include "path.h"
#include "platform.h"

namespace holdfast {
namespace {

// Holders and waiters of every version must lock the same byte.
constexpr uint64_t kLockOffset = uint64_t{1} << 62;
constexpr uint64_t kGuardOffset = kLockOffset + 1;

int LockByte(HANDLE handle, uint64_t offset, bool exclusive) {
  OVERLAPPED where;
  SetOffset(&where, offset);
  const DWORD flags =
      LOCKFILE_FAIL_IMMEDIATELY | (exclusive ? LOCKFILE_EXCLUSIVE_LOCK : 0);
  return LockFileEx(handle, flags, 0, 1, 0, &where) ? 0 : LastErrno();
}

// ENOLCK: the byte was not locked.
int UnlockByte(HANDLE handle, uint64_t offset) {
  OVERLAPPED where;
  SetOffset(&where, offset);
  if (UnlockFileEx(handle, 0, 1, 0, &where)) return 0;
  const DWORD error = GetLastError();
  // NT answers with the first, wine with the second.
  return error == ERROR_NOT_LOCKED || error == ERROR_LOCK_VIOLATION
             ? ENOLCK
             : ErrnoOf(error);
}

}  // namespace

// Never waits, because nothing here asks it to. It first releases a lock that
// the handle has in another mode, as flock(2) does.
int Flock(int fd, int operation) {
  const HANDLE handle = HandleOf(fd);
  const bool exclusive = (operation & LOCK_EX) != 0;
  if ((operation & LOCK_UN) == 0) {
    const int error = LockByte(handle, kLockOffset, exclusive);
    if (error != EWOULDBLOCK || !exclusive) return error;
  }
  // A handle can have a shared lock twice.
  bool held = false;
  int error;
  while ((error = UnlockByte(handle, kLockOffset)) == 0) held = true;
  if (error != ENOLCK) return error;
  if ((operation & LOCK_UN) != 0) return 0;
  return held ? LockByte(handle, kLockOffset, exclusive) : EWOULDBLOCK;
}

// A handle that has an exclusive and a shared lock gives up the exclusive one
// first (UnlockFileEx). So at no moment can another handle become exclusive.
int ConvertFlock(int fd, bool was_exclusive, int operation) {
  if (was_exclusive && (operation & LOCK_EX) != 0) return 0;
  const int error = Flock(fd, operation);
  if (error != 0 || !was_exclusive || (operation & LOCK_SH) == 0) {
    return error;
  }
  return UnlockByte(HandleOf(fd), kLockOffset);
}

// The guard is a lock on another byte. It ends with its handle, too.
PathGuard::PathGuard(const char* path, Purpose, int patience_ms) {
  const WidePath wide(path);
  for (int waited = 0;; waited++) {
    HANDLE handle;
    error_ =
        Open(wide.get(), GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, &handle);
    if (error_ != 0) {
      const bool refused = error_ == EPERM || error_ == EBUSY;
      if (refused && IsDeletePending()) error_ = ENOENT;
      return;
    }
    error_ = LockByte(handle, kGuardOffset, true);
    if (error_ == EWOULDBLOCK) error_ = EAGAIN;
    if (error_ == 0) {
      FileState at_path;
      error_ = StateOf(handle, &state_);
      if (error_ == 0) error_ = StateOfPath(path, &at_path);
      fd_ = FdOf(handle);
      if (error_ == 0 && at_path.SameFile(state_)) return;
      if (error_ == 0) error_ = EAGAIN;
    }
    CloseHandle(handle);
    fd_ = -1;
    if (error_ != EAGAIN || waited >= patience_ms) return;
    Sleep(1);
  }
}

PathGuard::~PathGuard() {
  if (fd_ != -1) CloseDescriptor(fd_);
}

// The handle of the holder would have to allow the replacement of its file, and
// no version of Windows before 10 can do that.
int ReplaceLocked(const char*, const char*, int, const char*, size_t,
                  const FileState&, OpenedFile*) {
  return ENOTSUP;
}

void Mutex::Lock() {
  AcquireSRWLockExclusive(reinterpret_cast<PSRWLOCK>(&lock_));
}

bool Mutex::TryLock() {
  return TryAcquireSRWLockExclusive(reinterpret_cast<PSRWLOCK>(&lock_)) != 0;
}

void Mutex::Unlock() {
  ReleaseSRWLockExclusive(reinterpret_cast<PSRWLOCK>(&lock_));
}

}  // namespace holdfast
