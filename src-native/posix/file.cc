// What Linux and macOS have in common; the rest is in linux/file.cc and
// darwin/file.cc.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../file.h"
#include "../memory.h"
#include "calls.h"
#include "open.h"

namespace holdfast {
namespace {

constexpr int kOpenTries = 5;

// By its first byte, which no program has: empty, JSON, a pid, newlines.
bool LooksLikeRecord(int fd) {
  char first = '\n';
  const ssize_t got =
      RetryInterrupted([&] { return calls::ReadAt(fd, &first, 1, 0); });
  return got <= 0 || first == '{' || first == '\n' ||
         (first >= '0' && first <= '9');
}

// In the way that is possible; `read_only` if that is for reading alone. Where
// nothing is, it returns the first refusal, which tells more, and errno has the
// last one.
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
    // Not to be written by us, a read-only file system, a directory, a
    // running program, an immutable file. flock(2) works on a descriptor of
    // any access mode (but for NFS).
    *fd = Open(path, kOpenFlags | O_RDONLY, 0);
    *read_only = true;
  }
  return *fd == -1 ? error : 0;
}

}  // namespace

int OpenLockFile(const char* path, int permissions, OpenedFile* opened) {
  int fd = -1;
  int error = EACCES;
  // A refusal of a file that is gone by the next look says nothing of the path.
  for (int tries = 0; fd == -1 && tries < kOpenTries; tries++) {
    error = OpenOnce(path, permissions, &fd, &opened->read_only);
    if (error == ENOENT || errno != ENOENT) break;
  }
  if (fd == -1) return error;
  error = StateOfDescriptor(fd, &opened->state);
  if (error == 0 && !opened->read_only && opened->state.executable &&
      !LooksLikeRecord(fd)) {
    // A program that locks itself: as long as anybody has it open for writing,
    // it cannot be executed (ETXTBSY), and no record goes into it anyway.
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
    // A short read of a regular file is its end: no second call to see that.
    if (static_cast<size_t>(got) < wanted) break;
  }
  return 0;
}

int ReplaceContent(int fd, const char* text, size_t length, uint64_t old_size,
                   bool* touched) {
  *touched = false;
  const char* bytes = text;
  size_t total = length;
  Buffer padded;
  if (old_size > length && old_size <= kRecordLimit) {
    total = static_cast<size_t>(old_size);
    if (!padded.Allocate(total)) return ENOMEM;
    memcpy(padded.data(), text, length);
    memset(padded.data() + length, '\n', total - length);
    bytes = padded.data();
  }
  size_t written = 0;
  while (written < total) {
    const ssize_t put = RetryInterrupted([&] {
      return calls::WriteAt(fd, bytes + written, total - written, written);
    });
    if (put == -1) return errno;
    if (put == 0) return EIO;
    written += static_cast<size_t>(put);
    *touched = true;
  }
  if (old_size <= length) return 0;
  return RetryInterrupted([&] { return calls::Truncate(fd, length); }) == -1
             ? errno
             : 0;
}

int CloseDescriptor(int fd) {
  // Never again after EINTR: on Linux the descriptor is gone by then, and its
  // number may already be somebody else's (close(2)).
  return close(fd) == -1 && errno != EINTR ? errno : 0;
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
