// The part of file.h that macOS does in its own way. Nothing here needs more
// than POSIX and statfs(2), so that scripts/test-darwin.mjs can run it on
// Linux.
//
// A lock is never stolen here, so there is no guard of the path. On macOS
// flock(2) and the locks of fcntl(2) share a table, so a guard that is an fcntl
// lock would conflict with the lock itself. Without stealing, no guard is
// needed. Only the exclusive holder of a file removes its name, and while it is
// held, nobody gives the name to another file. So between the holder's
// comparison and its unlink the path keeps leading to that file; only a manual
// edit can change it, and a guard would not prevent that.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../file.h"
#include "../posix/calls.h"
#include "../posix/open.h"

namespace holdfast {
namespace {

int Convert(int result, const struct stat& buffer, FileState* state) {
  if (result == -1) return errno;
  state->device = static_cast<uint64_t>(buffer.st_dev);
  state->inode = buffer.st_ino;
  state->size = static_cast<uint64_t>(buffer.st_size);
  state->executable = (buffer.st_mode & 0111) != 0;
  state->mount = 0;
  state->owner = buffer.st_uid;
  state->permissions = 0;
  state->kind = S_ISREG(buffer.st_mode)   ? Kind::kRegular
                : S_ISDIR(buffer.st_mode) ? Kind::kDirectory
                                          : Kind::kOther;
  return 0;
}

}  // namespace

int StateOfDescriptor(int fd, FileState* state) {
  struct stat buffer;
  const int result = RetryInterrupted([&] { return fstat(fd, &buffer); });
  return Convert(result, buffer, state);
}

int StateOfPath(const char* path, FileState* state) {
  struct stat buffer;
  const int result = RetryInterrupted([&] { return lstat(path, &buffer); });
  return Convert(result, buffer, state);
}

// True would make even a single attempt run on a thread of its own, and this
// platform has none (wait-poll.cc).
bool IsRemote(int) { return false; }

int IsRemotePath(const char* path, bool* remote) {
  calls::FileSystem buffer;
  if (calls::StatPath(path, &buffer) == -1) return errno;
  *remote = (buffer.f_flags & MNT_LOCAL) == 0;
  return 0;
}

// Opens the file at the path, and keeps nobody out.
PathGuard::PathGuard(const char* path, Purpose, int) {
  fd_ = Open(path, kOpenFlags | O_RDWR, 0);
  error_ = fd_ == -1 ? errno : StateOfDescriptor(fd_, &state_);
}

PathGuard::~PathGuard() {
  if (fd_ != -1) CloseDescriptor(fd_);
}

int RemoveIfSame(const char* path, const FileState& file, int) {
  FileState at_path;
  if (StateOfPath(path, &at_path) != 0 || !at_path.SameFile(file)) return 0;
  return unlink(path) == -1 && errno != ENOENT ? errno : 0;
}

int ReplaceLocked(const char*, const char*, int, const char*, size_t,
                  const FileState&, OpenedFile*) {
  return ENOTSUP;
}

}  // namespace holdfast
