#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "file.h"
#include "posix/open.h"

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
  const unsigned wanted =
      STATX_TYPE | STATX_INO | STATX_SIZE | kUniqueMount;
  if (RetryInterrupted([&] {
        return syscall(SYS_statx, fd, path, flags, wanted, &buffer);
      }) == -1) {
    return errno;
  }
  state->device = static_cast<uint64_t>(buffer.stx_dev_major) << 32 |
                  buffer.stx_dev_minor;
  state->inode = buffer.stx_ino;
  state->size = buffer.stx_size;
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
  struct timespec pause = {milliseconds / 1000,
                           milliseconds % 1000 * 1000000L};
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

PathGuard::PathGuard(const char* path, int patience_ms) {
  for (int waited = 0;; waited++) {
    fd_ = Open(path, kOpenFlags | O_RDWR, 0);
    if (fd_ == -1) {
      error_ = errno;
      return;
    }
    calls::FileLock whole = {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    error_ = calls::Control(fd_, F_OFD_SETLK, &whole) == -1 ? errno : 0;
    if (error_ == EACCES) error_ = EAGAIN;  // fcntl(2): either may mean held
    if (error_ == 0) {
      // Locked after the path had been given another file: that file is the
      // one to guard.
      FileState at_path;
      error_ = StateOfDescriptor(fd_, &state_);
      if (error_ == 0) error_ = StateOfPath(path, &at_path);
      if (error_ == 0 && at_path.SameFile(state_)) return;
      if (error_ == 0) error_ = EAGAIN;
    }
    CloseDescriptor(fd_);
    fd_ = -1;
    if (error_ != EAGAIN || waited >= patience_ms) return;
    SleepMilliseconds(1);
  }
}

PathGuard::~PathGuard() {
  if (fd_ != -1) CloseDescriptor(fd_);
}

int RemoveIfSame(const char* path, const FileState& file, int patience_ms) {
  PathGuard guard(path, patience_ms);
  if (guard.error() != 0 && guard.error() != EAGAIN) {
    // A folder, a symlink, somebody else's file: none of our business.
    FileState at_path;
    const bool gone = StateOfPath(path, &at_path) != 0;
    if (gone || !at_path.SameFile(file)) return 0;
  }
  if (guard.error() != 0) return guard.error();
  if (!guard.state().SameFile(file)) return 0;
  // The guard keeps those out who take it; a hand may have been faster.
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
    PathGuard guard(path, kReplacePatienceMs);
    error = guard.error() == ENOENT ? ESTALE : guard.error();
    if (error == 0 && !guard.state().SameFile(expected)) error = ESTALE;
    if (error == 0 && rename(temporary, path) == -1) error = errno;
  }
  if (error != 0) {
    unlink(temporary);
    CloseDescriptor(fd);
  }
  return error;
}

}  // namespace holdfast
