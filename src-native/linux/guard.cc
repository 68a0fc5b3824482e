// The guard of a lock path, and the two changes that need it: removing the file
// at the path, and replacing it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../file.h"
#include "../posix/calls.h"
#include "../posix/open.h"

namespace holdfast {
namespace {

constexpr int kReplacePatienceMs = 100;

void SleepMilliseconds(int milliseconds) {
  struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  nanosleep(&pause, nullptr);
}

int LockWhole(int fd) {
  calls::FileLock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (calls::Control(fd, F_OFD_SETLK, &whole) == 0) return 0;
  return errno == EACCES ? EAGAIN : errno;  // fcntl(2): either may mean held
}

// The kind of lock that a write lock would have to wait for: F_RDLCK, F_WRLCK,
// or F_UNLCK for none. A write lock on the whole file excludes any other.
int LockInTheWay(int fd) {
  calls::FileLock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return calls::Control(fd, F_OFD_GETLK, &whole) == 0 ? whole.l_type : F_WRLCK;
}

// In the folder of the lock file: `.holdfast-` and the number of its owner.
bool PathBeside(const char* path, uint32_t owner, Buffer* beside) {
  constexpr char kPrefix[] = ".holdfast-";
  constexpr size_t kPrefixLength = sizeof kPrefix - 1;
  const char* slash = strrchr(path, '/');
  const size_t folder =
      slash == nullptr ? 0 : static_cast<size_t>(slash + 1 - path);
  size_t digits = 1;
  for (uint32_t rest = owner / 10; rest != 0; rest /= 10) digits++;
  if (!beside->Allocate(folder + kPrefixLength + digits)) return false;
  memcpy(beside->data(), path, folder);
  memcpy(beside->data() + folder, kPrefix, kPrefixLength);
  char* digit = beside->data() + beside->size();
  for (uint32_t rest = owner; digits > 0; digits--, rest /= 10) {
    *--digit = static_cast<char>('0' + rest % 10);
  }
  return true;
}

// Whether it can be a guard file: empty, and owned by a user who could do worse
// than leave a wrong one there.
bool IsGuard(const FileState& state, const FileState& file) {
  const bool ours =
      state.owner == file.owner || state.owner == 0 || state.owner == geteuid();
  return state.kind == Kind::kRegular && state.size == 0 && ours;
}

// Locks the guard file, if there is one. ENOENT: there is none. EAGAIN:
// somebody has locked it, or has just removed it.
int LockExistingBeside(const char* beside, const FileState& file, int* locked) {
  FileState state;
  int error = StateOfPath(beside, &state);
  if (error == 0 && !IsGuard(state, file)) error = ENOENT;
  if (error != 0) return error;
  const int fd = Open(beside, kOpenFlags | O_WRONLY, 0);
  if (fd == -1) return EAGAIN;
  FileState opened;
  error = LockWhole(fd);
  if (error == 0) error = StateOfDescriptor(fd, &opened);
  // The process that had locked it before may have removed it.
  if (error == 0) error = StateOfPath(beside, &state);
  if (error == ENOENT || (error == 0 && !state.SameFile(opened))) {
    error = EAGAIN;
  }
  if (error == 0) {
    *locked = fd;
  } else {
    CloseDescriptor(fd);
  }
  return error;
}

// The same, but creates the guard file if it is missing: those who may write
// the lock file may write it, and nobody may read it.
int LockBeside(const char* beside, const FileState& file, int* locked) {
  const int writers = file.permissions & 0222;
  const int fd =
      Open(beside, kOpenFlags | O_WRONLY | O_CREAT | O_EXCL, writers);
  if (fd != -1) {
    // Adds the permissions that the umask removed.
    fchmod(fd, static_cast<mode_t>(writers));
    CloseDescriptor(fd);
  }
  // If a foreign file has the name, or none can be created, the guard cannot be
  // taken.
  return LockExistingBeside(beside, file, locked) == 0 ? 0 : EAGAIN;
}

}  // namespace

PathGuard::PathGuard(const char* path, Purpose purpose, int patience_ms) {
  for (int waited = 0;; waited++) {
    fd_ = Open(path, kOpenFlags | O_RDWR, 0);
    if (fd_ == -1) {
      error_ = errno;
      return;
    }
    error_ = StateOfDescriptor(fd_, &state_);
    if (error_ == 0) error_ = Lock(path, purpose);
    if (error_ == 0) {
      // Another file may have replaced it at the path before we locked it. Then
      // that file is the one to guard.
      FileState at_path;
      error_ = StateOfPath(path, &at_path);
      if (error_ == 0 && at_path.SameFile(state_)) return;
      if (error_ == 0) error_ = EAGAIN;
    }
    Unlock();
    if (error_ != EAGAIN || waited >= patience_ms) return;
    SleepMilliseconds(1);
  }
}

int PathGuard::Lock(const char* path, Purpose purpose) {
  const int error = LockWhole(fd_);
  const bool read_locked = error == EAGAIN && LockInTheWay(fd_) == F_RDLCK;
  if (purpose == Purpose::kRecord) return read_locked ? 0 : error;
  if (error != 0 && !read_locked) return error;
  if (!PathBeside(path, state_.owner, &beside_path_)) return ENOMEM;
  if (error == 0) {
    const int beside =
        LockExistingBeside(beside_path_.data(), state_, &beside_);
    return beside == EAGAIN ? EAGAIN : 0;
  }
  const int beside = LockBeside(beside_path_.data(), state_, &beside_);
  return beside == 0 && LockInTheWay(fd_) == F_WRLCK ? EAGAIN : beside;
}

void PathGuard::Unlock() {
  // An empty file that serves as a guard alone (IsGuard). Remove it while it is
  // locked: later, this could remove the guard file of the next process.
  if (beside_ != -1) unlink(beside_path_.data());
  if (beside_ != -1) CloseDescriptor(beside_);
  if (fd_ != -1) CloseDescriptor(fd_);
  beside_ = -1;
  fd_ = -1;
}

PathGuard::~PathGuard() { Unlock(); }

int RemoveGuarded(const char* path, const FileState&) {
  // At the path is the file that is locked, and TypeScript knows that it is
  // ours. The guard keeps out everyone who takes it; only a manual edit can be
  // faster.
  return unlink(path) == -1 && errno != ENOENT ? errno : 0;
}

int ReplaceLocked(const char* path, const char* temporary, int permissions,
                  const char* text, size_t length, const FileState& expected,
                  OpenedFile* opened) {
  const int fd =
      Open(temporary, kOpenFlags | O_RDWR | O_CREAT | O_EXCL, permissions);
  if (fd == -1) return errno;
  opened->fd = fd;
  opened->read_only = false;
  // Lock it before anybody can open it at the path.
  int error = Flock(fd, LOCK_EX | LOCK_NB);
  // If the disk is full, fail while the old file is still there.
  bool touched;
  if (error == 0) error = ReplaceContent(fd, text, length, 0, &touched);
  if (error == 0) error = StateOfDescriptor(fd, &opened->state);
  if (error == 0) {
    PathGuard guard(path, PathGuard::Purpose::kPath, kReplacePatienceMs);
    error = guard.error() == ENOENT ? ESTALE : guard.error();
    if (error == 0 && !guard.state().SameFile(expected)) error = ESTALE;
    // Replaces a file whose content the caller has found to be a record.
    if (error == 0 && rename(temporary, path) == -1) error = errno;
  }
  if (error != 0) {
    // The file created above, with O_EXCL.
    unlink(temporary);
    CloseDescriptor(fd);
  }
  return error;
}

}  // namespace holdfast
