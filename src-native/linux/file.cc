#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../file.h"
#include "../posix/calls.h"
#include "../posix/open.h"

namespace holdfast {
namespace {

constexpr int kReplacePatienceMs = 100;

// The statx system call itself: `struct statx` is the same on every
// architecture, and glibc before 2.33 exports no stat that a prebuilt file
// could link against.
int Statx(int fd, const char* path, int flags, FileState* state) {
  // Since Linux 6.8, an id of the mount that is never used again; older headers
  // do not know it.
  constexpr unsigned kUniqueMount = 0x4000;
  struct statx buffer;
  const unsigned wanted = STATX_TYPE | STATX_MODE | STATX_UID | STATX_INO |
                          STATX_SIZE | kUniqueMount;
  if (RetryInterrupted([&] {
        return syscall(SYS_statx, fd, path, flags, wanted, &buffer);
      }) == -1) {
    return errno;
  }
  state->device =
      static_cast<uint64_t>(buffer.stx_dev_major) << 32 | buffer.stx_dev_minor;
  state->inode = buffer.stx_ino;
  state->size = buffer.stx_size;
  state->owner = buffer.stx_uid;
  state->permissions = buffer.stx_mode & 07777;
  state->executable = (buffer.stx_mode & 0111) != 0;
  // The numbers of file systems without a disk, tmpfs and FUSE alike, are used
  // again as soon as one is unmounted; those of disks stay the disks'.
  const bool has_disk = buffer.stx_dev_major != 0;
  state->mount = (buffer.stx_mask & kUniqueMount) != 0 ? buffer.stx_mnt_id
                 : has_disk                            ? state->device
                                                       : 0;
  switch (buffer.stx_mode & 0170000) {
    case 0100000:
      state->kind = Kind::kRegular;
      break;
    case 0040000:
      state->kind = Kind::kDirectory;
      break;
    default:
      state->kind = Kind::kOther;
  }
  return 0;
}

void SleepMilliseconds(int milliseconds) {
  struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  nanosleep(&pause, nullptr);
}

bool IsRemoteType(uint64_t type) {
  switch (type & 0xffffffff) {
    case 0x6969:      // NFS
    case 0x517b:      // SMB
    case 0xff534d42:  // CIFS
    case 0xfe534d42:  // SMB2
    case 0x65735546:  // FUSE, virtiofs
    case 0x01021997:  // 9p
    case 0x00c36400:  // Ceph
    case 0x5346414f:  // AFS (OpenAFS)
    case 0x6b414653:  // AFS (kernel)
    case 0x73757245:  // Coda
    case 0x01161970:  // GFS2
    case 0x7461636f:  // OCFS2
    case 0x0bd00bd0:  // Lustre
    case 0x47504653:  // GPFS
    case 0x564c:      // NCP
    case 0x20030528:  // OrangeFS
    case 0xaad7aaea:  // PanFS
    case 0x786f4256:  // VirtualBox shared folders
    case 0xbacbacbc:  // VMware shared folders
    case 0x7c7c6673:  // Parallels shared folders
    case 0x53464846:  // WSL1
      return true;
    default:
      return false;
  }
}

int LockWhole(int fd) {
  calls::FileLock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (calls::Control(fd, F_OFD_SETLK, &whole) == 0) return 0;
  return errno == EACCES ? EAGAIN : errno;  // fcntl(2): either may mean held
}

// The kind of lock that a write lock would have to wait for: F_RDLCK, F_WRLCK,
// or F_UNLCK for none. With a write lock on all of the file there is no other.
int LockInTheWay(int fd) {
  calls::FileLock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return calls::Control(fd, F_OFD_GETLK, &whole) == 0 ? whole.l_type : F_WRLCK;
}

// `.holdfast-` and the number of the owner of the lock file.
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

// Whether it can have been made for this: empty, and of one who could do worse.
bool IsGuard(const FileState& state, const FileState& file) {
  const bool ours =
      state.owner == file.owner || state.owner == 0 || state.owner == geteuid();
  return state.kind == Kind::kRegular && state.size == 0 && ours;
}

// Locks the file beside, if it is there and of ours. ENOENT: there is none.
// EAGAIN: somebody has it, or has just removed it.
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
  // Whoever had it before removes it with its lock.
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

// The same, made if it is missing: for those who may write the lock file, and
// for nobody to read.
int LockBeside(const char* beside, const FileState& file, int* locked) {
  const int writers = file.permissions & 0222;
  const int fd =
      Open(beside, kOpenFlags | O_WRONLY | O_CREAT | O_EXCL, writers);
  if (fd != -1) {
    // What the umask has taken off.
    fchmod(fd, static_cast<mode_t>(writers));
    CloseDescriptor(fd);
  }
  // With a file that is not ours there, or no room for one, there is no guard.
  return LockExistingBeside(beside, file, locked) == 0 ? 0 : EAGAIN;
}

}  // namespace

int StateOfDescriptor(int fd, FileState* state) {
  return Statx(fd, "", AT_EMPTY_PATH, state);
}

int StateOfPath(const char* path, FileState* state) {
  return Statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, state);
}

bool IsRemote(int fd) {
  calls::FileSystem buffer;
  return calls::StatDescriptor(fd, &buffer) == 0 &&
         IsRemoteType(static_cast<uint64_t>(buffer.f_type));
}

int IsRemotePath(const char* path, bool* remote) {
  calls::FileSystem buffer;
  if (calls::StatPath(path, &buffer) == -1) return errno;
  *remote = IsRemoteType(static_cast<uint64_t>(buffer.f_type));
  return 0;
}

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
      // Locked after the path had been given another file: that file is the
      // one to guard.
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
  // An empty file of this name, made for this (IsGuard). Still locked, so that
  // nobody removes the file of the next.
  if (beside_ != -1) unlink(beside_path_.data());
  if (beside_ != -1) CloseDescriptor(beside_);
  if (fd_ != -1) CloseDescriptor(fd_);
  beside_ = -1;
  fd_ = -1;
}

PathGuard::~PathGuard() { Unlock(); }

int RemoveIfSame(const char* path, const FileState& file, int patience_ms) {
  PathGuard guard(path, PathGuard::Purpose::kPath, patience_ms);
  if (guard.error() != 0 && guard.error() != EAGAIN) {
    // A folder, a symlink, somebody else's file: none of our business.
    FileState at_path;
    const bool gone = StateOfPath(path, &at_path) != 0;
    if (gone || !at_path.SameFile(file)) return 0;
  }
  if (guard.error() != 0) return guard.error();
  if (!guard.state().SameFile(file)) return 0;
  // The file that is locked, of which TypeScript knows that it is ours. The
  // guard keeps those out who take it; somebody by hand may have been faster.
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
  // Before anybody can meet it at the path.
  int error = Flock(fd, LOCK_EX | LOCK_NB);
  // A disk that is full is to be noticed while the old file is still there.
  bool touched;
  if (error == 0) error = ReplaceContent(fd, text, length, 0, &touched);
  if (error == 0) error = StateOfDescriptor(fd, &opened->state);
  if (error == 0) {
    PathGuard guard(path, PathGuard::Purpose::kPath, kReplacePatienceMs);
    error = guard.error() == ENOENT ? ESTALE : guard.error();
    if (error == 0 && !guard.state().SameFile(expected)) error = ESTALE;
    // Over the file whose content the caller has found to be a record.
    if (error == 0 && rename(temporary, path) == -1) error = errno;
  }
  if (error != 0) {
    // Made above, with O_EXCL.
    unlink(temporary);
    CloseDescriptor(fd);
  }
  return error;
}

}  // namespace holdfast
