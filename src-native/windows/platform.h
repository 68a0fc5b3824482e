// What the shared files need from Windows in addition to file.h, process.h,
// program.h and wait.h. See posix/platform.h.
//
// On Windows an `fd` in this code is a HANDLE. It fits: a HANDLE has 32
// significant bits and is sign-extended ("Interprocess Communication Between
// 32-bit and 64-bit Applications"), and INVALID_HANDLE_VALUE is -1. The C
// library of the host does not know it, and JavaScript never sees it.
#ifndef HOLDFAST_PLATFORM_H_
#define HOLDFAST_PLATFORM_H_

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "../file.h"

// The operations of flock(2); lock.cc turns them into LockFileEx.
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

// The C library lacks this error; src/base/errors.ts knows the number.
#ifndef ESTALE
#define ESTALE 4000
#endif

namespace holdfast {

using ThreadId = void*;

constexpr bool kHasDescriptors = false;

// A slim reader/writer lock, declared without <windows.h>.
class Mutex {
 public:
  void Lock();
  bool TryLock();
  void Unlock();

 private:
  void* lock_ = nullptr;
};

// Flock on a handle that may hold the lock in another mode; LockFileEx itself
// does not convert.
int ConvertFlock(int fd, bool was_exclusive, int operation);

// Files have no such owner here: FileState has 0.
inline uint32_t OwnUser() { return 0; }

uint64_t WallClockMicroseconds();

// Returns 0 also if the system cannot remove the file because it is open.
int RemoveFile(const char* path);

}  // namespace holdfast

#endif  // HOLDFAST_PLATFORM_H_
