// What Holdfast asks of the operating system about files. One implementation
// per platform (in linux/, darwin/ and posix/, which those two share, or
// windows/), chosen by the build. Every function returns 0 or an errno value;
// none of them throws, logs or keeps state.
#ifndef HOLDFAST_FILE_H_
#define HOLDFAST_FILE_H_

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

namespace holdfast {

// Longest content that is ever read or written as a record.
constexpr size_t kRecordLimit = 64 * 1024;

enum class Kind : uint8_t { kRegular, kDirectory, kOther };

struct FileState {
  uint64_t device;
  uint64_t inode;
  uint64_t size;
  // By what the answer to IsRemote() can be remembered: no other file system
  // ever has the same. 0: by nothing.
  uint64_t mount;
  Kind kind;
  bool executable;
  // Whose it is, and who may read and write it, as chmod(2) has it; 0 where
  // that does not matter.
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

// Opens what is to be locked, creating a missing regular file, without
// following a symlink, blocking on a FIFO or gaining a controlling terminal.
// Negative `permissions`: nothing is created.
// ENXIO: there is something that cannot be a lock file.
int OpenLockFile(const char* path, int permissions, OpenedFile* opened);

int StateOfDescriptor(int fd, FileState* state);
// Of the path itself: a symlink is not followed.
int StateOfPath(const char* path, FileState* state);

// flock(2), tried again after EINTR. `operation` is LOCK_*.
int Flock(int fd, int operation);

// True for network and FUSE file systems, where a lock call may hang and the
// kernel's lock tables do not show every holder.
bool IsRemote(int fd);
int IsRemotePath(const char* path, bool* remote);

// Reads up to `capacity` bytes from the start of the file.
int ReadContent(int fd, char* buffer, size_t capacity, size_t* length);

// Makes `text` the whole content. `old_size` is the present size. At no
// moment, a kill between the system calls included, does a reader see `text`
// with a remainder of longer old content behind it: the old content is
// overwritten with newlines by the same pwrite, then cut off.
// After an error, `touched` tells whether anything was written.
int ReplaceContent(int fd, const char* text, size_t length, uint64_t old_size,
                   bool* touched);

int CloseDescriptor(int fd);
// Another descriptor of the same description, closed on exec.
int Duplicate(int fd, int* duplicate);
int IsWritable(int fd, bool* writable);
int SetCloseOnExec(int fd, bool on);

// Serialises those who remove or replace a lock path, or hand over the record
// in it: an open-file-description lock (fcntl_locking(2)), which does not meet
// flock and ends with the process. Not on macOS: see darwin/file.cc.
//
// Without it, of two processes that each compare path and descriptor and then
// act:
//   1. A, who holds the lock, compares: the path is A's file.
//   2. B, who steals, renames a new locked file onto the path.
//   3. A unlinks the path, and with it B's file.
//   4. C creates a third file and locks it: B and C both hold.
//
// It is a write lock on the file that is at the path. Somebody who may only
// read that file can take a read lock there, as none of ours does, and keep the
// guard out. Only then the guard is another file, beside it, that nobody can
// open for reading: one for all files of an owner in the folder, which is gone
// again when it is not used. Two who guard in different ways see each other:
//   1. A, kept out by a reader, makes and locks the file beside; then it looks
//      whether the file at the path has a write lock.
//   2. B locks the file at the path; then it looks whether there is a file
//      beside that is locked.
//   3. Whoever comes second sees the first, and tries again.
class PathGuard {
 public:
  enum class Purpose {
    kPath,
    // A reader's lock does not keep the record from being handed over: without
    // the guard the worst is a record that is lost.
    kRecord,
  };

  // Tries for `patience_ms`. Look at error() before relying on it.
  PathGuard(const char* path, Purpose purpose, int patience_ms);
  ~PathGuard();
  PathGuard(const PathGuard&) = delete;
  PathGuard& operator=(const PathGuard&) = delete;

  int error() const { return error_; }
  // Of the file at the path.
  int fd() const { return fd_; }
  const FileState& state() const { return state_; }

 private:
  int Lock(const char* path, Purpose purpose);
  void Unlock();

  int fd_ = -1;
  int error_ = 0;
  FileState state_{};
  // The file beside, where there is one.
  int beside_ = -1;
  Buffer beside_path_;
};

// Unlinks `path` if it still leads to `file`; the caller holds its lock. With
// anything else there it does nothing. EAGAIN: the guard was not to be had.
int RemoveIfSame(const char* path, const FileState& file, int patience_ms);

// Puts a new file, which is locked exclusively and has `text` already, in the
// place of `expected` at `path`; `temporary` is a name in the same folder.
// ESTALE: the path leads to another file by now. EAGAIN: the guard was not to
// be had. ENOTSUP: it cannot be done safely on this system.
int ReplaceLocked(const char* path, const char* temporary, int permissions,
                  const char* text, size_t length, const FileState& expected,
                  OpenedFile* opened);

}  // namespace holdfast

#endif  // HOLDFAST_FILE_H_
