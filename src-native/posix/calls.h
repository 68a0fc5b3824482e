// Calls with a file offset, a number of blocks or a `struct flock`. On 64 bits
// every C library has the same ones. On 32 bits the functions of the same name
// differ: off_t, struct flock and struct statfs are narrow in glibc and wide in
// musl. And glibc's fcntl passes F_OFD_SETLK on unconverted if the caller asks
// for no symbol version. The system calls of the kernel are the same under
// both.
#ifndef HOLDFAST_POSIX_CALLS_H_
#define HOLDFAST_POSIX_CALLS_H_

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <sys/mount.h>
#include <sys/param.h>
#elif __SIZEOF_LONG__ == 8
#include <sys/syscall.h>
#include <sys/vfs.h>
#elif defined(__arm__) && defined(__ARM_EABI__)
#include <asm/statfs.h>
#include <sys/syscall.h>
#else
#error "how 64-bit arguments are passed to system calls here is not known"
#endif

namespace holdfast {
namespace calls {

#if __SIZEOF_LONG__ == 8

constexpr int kLargeFile = 0;
using FileLock = struct flock;
using FileSystem = struct statfs;

#if defined(__APPLE__)

inline int OpenPath(const char* path, int flags, int permissions) {
  return open(path, flags, permissions);
}

inline ssize_t ReadAt(int fd, void* buffer, size_t size, size_t offset) {
  return pread(fd, buffer, size, static_cast<off_t>(offset));
}

inline ssize_t WriteAt(int fd, const void* bytes, size_t size, size_t offset) {
  return pwrite(fd, bytes, size, static_cast<off_t>(offset));
}

inline int Close(int fd) { return close(fd); }

#else

// By number: the functions of the C library are cancellation points. In a
// program with threads, each costs two atomic operations beside its call.
inline int OpenPath(const char* path, int flags, int permissions) {
  return static_cast<int>(
      syscall(SYS_openat, AT_FDCWD, path, flags, permissions));
}

inline ssize_t ReadAt(int fd, void* buffer, size_t size, size_t offset) {
  return syscall(SYS_pread64, fd, buffer, size, offset);
}

inline ssize_t WriteAt(int fd, const void* bytes, size_t size, size_t offset) {
  return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

inline int Close(int fd) { return static_cast<int>(syscall(SYS_close, fd)); }

#endif

inline int Truncate(int fd, size_t size) {
  return ftruncate(fd, static_cast<off_t>(size));
}

inline int Control(int fd, int command, FileLock* lock) {
  return fcntl(fd, command, lock);
}

inline int StatDescriptor(int fd, FileSystem* found) {
  return fstatfs(fd, found);
}

struct Time {
  int64_t seconds;
  int64_t nanoseconds;
};

inline Time WallClock() {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return {now.tv_sec, now.tv_nsec};
}

inline int StatPath(const char* path, FileSystem* found) {
  return statfs(path, found);
}

#else

// The system calls below take the narrow types of the old names of the C
// library.
static_assert(sizeof(time_t) == 4, "compile without _TIME_BITS=64");

// Without it, a file of 2 GiB or more cannot be opened.
constexpr int kLargeFile = 0400000;

// struct flock64 in <asm/fcntl.h> of the kernel.
struct FileLock {
  int16_t l_type;
  int16_t l_whence;
  alignas(8) int64_t l_start;
  int64_t l_len;
  int32_t l_pid;
};
using FileSystem = struct statfs64;
static_assert(sizeof(FileLock) == 32 && offsetof(FileLock, l_start) == 8, "");

// A 64-bit argument takes an even register and the next one, so after an odd
// number of arguments one register stays unused. No offset here exceeds 64 KiB.
inline ssize_t ReadAt(int fd, void* buffer, size_t size, size_t offset) {
  return syscall(SYS_pread64, fd, buffer, size, 0, offset, 0);
}

inline ssize_t WriteAt(int fd, const void* bytes, size_t size, size_t offset) {
  return syscall(SYS_pwrite64, fd, bytes, size, 0, offset, 0);
}

inline int OpenPath(const char* path, int flags, int permissions) {
  return open(path, flags, permissions);
}

inline int Close(int fd) { return close(fd); }

struct Time {
  int64_t seconds;
  int64_t nanoseconds;
};

inline Time WallClock() {
  // Since Linux 5.1. The function of the C library ends in 2038.
  constexpr long kClockGettime64 = 403;
  Time now;
  if (syscall(kClockGettime64, CLOCK_REALTIME, &now) == 0) return now;
  struct timespec narrow;
  clock_gettime(CLOCK_REALTIME, &narrow);
  return {narrow.tv_sec, narrow.tv_nsec};
}

inline int Truncate(int fd, size_t size) {
  return static_cast<int>(syscall(SYS_ftruncate64, fd, 0, size, 0));
}

inline int Control(int fd, int command, FileLock* lock) {
  return static_cast<int>(syscall(SYS_fcntl64, fd, command, lock));
}

inline int StatDescriptor(int fd, FileSystem* found) {
  return static_cast<int>(
      syscall(SYS_fstatfs64, fd, sizeof(FileSystem), found));
}

inline int StatPath(const char* path, FileSystem* found) {
  return static_cast<int>(
      syscall(SYS_statfs64, path, sizeof(FileSystem), found));
}

#endif

}  // namespace calls
}  // namespace holdfast

#endif  // HOLDFAST_POSIX_CALLS_H_
