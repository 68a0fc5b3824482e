// The part of file.h that is the same on Linux and macOS; the rest is in linux/
// and darwin/.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../file.h"
#include "calls.h"
#include "open.h"

namespace holdfast {
namespace {

constexpr int kOpenTries = 5;

// A record is empty, JSON, a pid or newlines. No program begins with such a
// byte.
bool LooksLikeRecord(int fd) {
  char first = '\n';
  const ssize_t got =
      RetryInterrupted([&] { return calls::ReadAt(fd, &first, 1, 0); });
  return got <= 0 || first == '{' || first == '\n' ||
         (first >= '0' && first <= '9');
}

// Opens for writing or, where that is refused, for reading alone. If both are
// refused, it returns the first error, which tells more; errno is the last one.
int OpenOnce(const char* path, int permissions, int* fd, bool* read_only) {
  *read_only = false;
  const int create = permissions < 0 ? 0 : O_CREAT;
  *fd = Open(path, kOpenFlags | O_RDWR | create, permissions);
  const int error = *fd == -1 ? errno : 0;
  if (error == EACCES) {
    // A sticky folder with fs.protected_regular refuses O_CREAT on a file of
    // another user even where the file itself may be written: proc_sys_fs(5).
    *fd = Open(path, kOpenFlags | O_RDWR, 0);
  }
  if (*fd == -1 && (error == EACCES || error == EROFS || error == EISDIR ||
                    error == ETXTBSY || error == EPERM)) {
    // We may not write it, or it is on a read-only file system, a directory, a
    // running program or immutable. flock(2) works on a descriptor of any
    // access mode, except on NFS.
    *fd = Open(path, kOpenFlags | O_RDONLY, 0);
    *read_only = true;
  }
  return *fd == -1 ? error : 0;
}

}  // namespace

int OpenLockFile(const char* path, int permissions, OpenedFile* opened) {
  int fd = -1;
  int error = EACCES;
  // If the file is gone by the second attempt, the refusal of the first says
  // nothing about the path.
  for (int tries = 0; fd == -1 && tries < kOpenTries; tries++) {
    error = OpenOnce(path, permissions, &fd, &opened->read_only);
    if (error == ENOENT || errno != ENOENT) break;
  }
  if (fd == -1) return error;
  error = StateOfDescriptor(fd, &opened->state);
  if (error == 0 && !opened->read_only && opened->state.executable &&
      !LooksLikeRecord(fd)) {
    // A program that locks itself. No record goes into it, and while anybody
    // has it open for writing, it cannot be executed (ETXTBSY).
    const int program = Open(path, kOpenFlags | O_RDONLY, 0);
    if (program != -1) {
      CloseDescriptor(fd);
      fd = program;
      opened->read_only = true;
      error = StateOfDescriptor(fd, &opened->state);
    }
  }
  if (error == 0 && opened->state.kind == Kind::kOther) error = ENXIO;
  if (error != 0) {
    CloseDescriptor(fd);
    return error;
  }
  opened->fd = fd;
  return 0;
}

int OpenToRead(const char* path, int* fd) {
  *fd = Open(path, kOpenFlags | O_RDONLY, 0);
  return *fd == -1 ? errno : 0;
}

int Flock(int fd, int operation) {
  return RetryInterrupted([&] { return flock(fd, operation); }) == -1 ? errno
                                                                      : 0;
}

int ReadContent(int fd, char* buffer, size_t capacity, size_t* length) {
  *length = 0;
  while (*length < capacity) {
    const size_t wanted = capacity - *length;
    const ssize_t got = RetryInterrupted(
        [&] { return calls::ReadAt(fd, buffer + *length, wanted, *length); });
    if (got == -1) return errno;
    *length += static_cast<size_t>(got);
    // A short read means the end of a regular file; no second call needed.
    if (static_cast<size_t>(got) < wanted) break;
  }
  return 0;
}

int WriteAt(int fd, const char* bytes, size_t size, size_t offset,
            size_t* written) {
  const ssize_t put =
      RetryInterrupted([&] { return calls::WriteAt(fd, bytes, size, offset); });
  if (put == -1) return errno;
  *written = static_cast<size_t>(put);
  return 0;
}

int Truncate(int fd, size_t size) {
  return RetryInterrupted([&] { return calls::Truncate(fd, size); }) == -1
             ? errno
             : 0;
}

int CloseDescriptor(int fd) {
  // Do not retry after EINTR: on Linux the descriptor is already closed, and
  // its number may belong to somebody else (close(2)).
  return calls::Close(fd) == -1 && errno != EINTR ? errno : 0;
}

int Duplicate(int fd, int* duplicate) {
  *duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return *duplicate == -1 ? errno : 0;
}

int IsWritable(int fd, bool* writable) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags == -1) return errno;
  *writable = (flags & O_ACCMODE) == O_RDWR;
  return 0;
}

int SetCloseOnExec(int fd, bool on) {
  return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) == -1 ? errno : 0;
}

}  // namespace holdfast
