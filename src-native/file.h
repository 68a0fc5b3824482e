// What Holdfast asks of the operating system about files. The build chooses one
// implementation for each platform: linux/ or darwin/, with posix/ for what
// these two share, or windows/. Every function returns 0 or an errno value. No
// function throws, logs or keeps state.
#ifndef HOLDFAST_FILE_H_
#define HOLDFAST_FILE_H_

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

namespace holdfast {

// The longest content that is read or written as a record.
constexpr size_t kRecordLimit = 64 * 1024;

enum class Kind : uint8_t { kRegular, kDirectory, kOther };

struct FileState {
  uint64_t device;
  uint64_t inode;
  uint64_t size;
  // The key for caching the answer of IsRemote(): no other file system ever has
  // the same one. 0: do not cache.
  uint64_t mount;
  Kind kind;
  bool executable;
  // The owner, and the permission bits of chmod(2); 0 where nothing needs them.
  uint32_t owner;
  uint16_t permissions;

  bool SameFile(const FileState& other) const {
    return device == other.device && inode == other.inode;
  }
};

struct OpenedFile {
  int fd;
  bool read_only;
  FileState state;
};

// Opens the file to lock, and creates a missing one as a regular file. It does
// not follow a symlink, block on a FIFO or gain a controlling terminal.
// Negative `permissions`: a missing file is not created.
// ENXIO: neither a regular file nor a directory, so it cannot be a lock file.
int OpenLockFile(const char* path, int permissions, OpenedFile* opened);

// Opens a file for reading alone, and creates none; it follows no symlink and
// does not block on a FIFO. Not on Windows: ENOTSUP.
int OpenToRead(const char* path, int* fd);

int StateOfDescriptor(int fd, FileState* state);
// The state of the path itself: a symlink is not followed.
int StateOfPath(const char* path, FileState* state);

// flock(2), repeated after EINTR. `operation` is LOCK_*.
int Flock(int fd, int operation);

// True for network and FUSE file systems, where a lock call may hang and the
// kernel's lock tables do not show every holder.
bool IsRemote(int fd);
int IsRemotePath(const char* path, bool* remote);

// Reads up to `capacity` bytes from the start of the file.
int ReadContent(int fd, char* buffer, size_t capacity, size_t* length);

// Makes `text` the whole content. `old_size` is the present size. A reader
// never sees `text` followed by a rest of longer old content, even if this
// process is killed between the system calls: the same pwrite overwrites the
// old content with newlines, and only then is the file truncated. After an
// error, `touched` tells whether anything was written.
int ReplaceContent(int fd, const char* text, size_t length, uint64_t old_size,
                   bool* touched);

// One call of the system each. A write may be short.
int WriteAt(int fd, const char* bytes, size_t size, size_t offset,
            size_t* written);
int Truncate(int fd, size_t size);

int CloseDescriptor(int fd);
// Makes another descriptor of the same description, closed on exec.
int Duplicate(int fd, int* duplicate);
int IsWritable(int fd, bool* writable);
int SetCloseOnExec(int fd, bool on);

// Serialises the processes that remove or replace a lock path, or hand over the
// record in it. It is an open-file-description lock (fcntl_locking(2)), which
// does not conflict with flock and ends with the process. Not on macOS: see
// darwin/file.cc.
//
// Without it, two processes could each compare path and descriptor and then
// act:
//   1. A, who holds the lock, compares: the path leads to A's file.
//   2. B, who steals, renames a new locked file onto the path.
//   3. A unlinks the path, and with it B's file.
//   4. C creates a third file and locks it: B and C both hold.
//
// The guard is a write lock on the file at the path. A user who may only read
// that file can take a read lock on it and so keep the guard out; Holdfast
// itself never does. Only then the guard is a lock on another file beside it,
// which nobody can open for reading. There is one such file for all files of an
// owner in the folder, and it is removed after use. Two processes that guard in
// different ways notice each other:
//   1. A, kept out by a reader, creates and locks the file beside it. Then it
//      checks whether the file at the path has a write lock.
//   2. B locks the file at the path. Then it checks whether there is a locked
//      file beside it.
//   3. The second one to lock notices the first, and tries again.
class PathGuard {
 public:
  enum class Purpose {
    kPath,
    // Handing over the record. The lock of a reader does not prevent it:
    // without the guard, at worst a record is lost.
    kRecord,
  };

  // Tries for `patience_ms`. Check error() before relying on the guard.
  PathGuard(const char* path, Purpose purpose, int patience_ms);
  ~PathGuard();
  PathGuard(const PathGuard&) = delete;
  PathGuard& operator=(const PathGuard&) = delete;

  int error() const { return error_; }
  // The descriptor and the state of the file at the path.
  int fd() const { return fd_; }
  const FileState& state() const { return state_; }

 private:
  int Lock(const char* path, Purpose purpose);
  void Unlock();

  int fd_ = -1;
  int error_ = 0;
  FileState state_{};
  // The guard file beside it, if there is one.
  int beside_ = -1;
  Buffer beside_path_;
};

// Unlinks `path` if it still leads to `file`; the caller holds its lock. With
// anything else there it does nothing. EAGAIN: the guard could not be taken.
int RemoveIfSame(const char* path, const FileState& file, int patience_ms);

// The part of RemoveIfSame that follows once the guard is taken and `file` is
// at the path. Not on macOS.
int RemoveGuarded(const char* path, const FileState& file);

// Replaces `expected` at `path` by a new file, which is already locked
// exclusively and contains `text`; `temporary` is a name in the same folder.
// ESTALE: the path leads to another file by now. EAGAIN: the guard could not be
// taken. ENOTSUP: this system cannot do it safely.
int ReplaceLocked(const char* path, const char* temporary, int permissions,
                  const char* text, size_t length, const FileState& expected,
                  OpenedFile* opened);

}  // namespace holdfast

#endif  // HOLDFAST_FILE_H_
