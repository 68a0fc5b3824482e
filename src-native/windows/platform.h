// What the files that every platform shares need of Windows beyond the seams
// in file.h, process.h and wait.h. See posix/platform.h.
//
// An `fd` in this code is a HANDLE here: one has 32 significant bits and is
// sign-extended ("Interprocess Communication Between 32-bit and 64-bit
// Applications"), so it fits, and INVALID_HANDLE_VALUE is -1. It means nothing
// to the C library of the host, and JavaScript never sees it.
#ifndef HOLDFAST_PLATFORM_H_
#define HOLDFAST_PLATFORM_H_

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "../file.h"

// flock(2)'s; file.cc makes LockFileEx of them.
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

// The C library has no such error; src/base/errors.ts knows the number.
#ifndef ESTALE
#define ESTALE 4000
#endif

namespace holdfast {

using ThreadId = void*;

constexpr bool kHasDescriptors = false;

// A slim reader/writer lock, without its header in every file.
class Mutex {
 public:
  void Lock();
  bool TryLock();
  void Unlock();

 private:
  void* lock_ = nullptr;
};

// Flock on a handle that may hold the lock in another mode, of which
// LockFileEx knows nothing.
int ConvertFlock(int fd, bool was_exclusive, int operation);

// 0 also where the system cannot remove a file that somebody has open.
int RemoveFile(const char* path);

}  // namespace holdfast

#endif  // HOLDFAST_PLATFORM_H_
