// What the shared files need from the platform in addition to file.h,
// process.h, program.h and wait.h. The build chooses between this file and the
// one in windows/ by the include path.
#ifndef HOLDFAST_PLATFORM_H_
#define HOLDFAST_PLATFORM_H_

#include <pthread.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

#include "../file.h"
#include "calls.h"

namespace holdfast {

using ThreadId = pthread_t;

// Other code in this process can use an `fd`.
constexpr bool kHasDescriptors = true;

class Mutex {
 public:
  void Lock() { pthread_mutex_lock(&mutex_); }
  bool TryLock() { return pthread_mutex_trylock(&mutex_) == 0; }
  void Unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

// Flock on a descriptor that may hold the lock in another mode. flock(2) itself
// converts.
inline int ConvertFlock(int fd, bool, int operation) {
  return Flock(fd, operation);
}

// The user whose files this process makes.
inline uint32_t OwnUser() { return geteuid(); }

inline uint64_t WallClockMicroseconds() {
  const calls::Time now = calls::WallClock();
  return static_cast<uint64_t>(now.seconds) * 1000000 +
         static_cast<uint64_t>(now.nanoseconds / 1000);
}

inline int RemoveFile(const char* path) { return unlink(path); }

}  // namespace holdfast

#endif  // HOLDFAST_PLATFORM_H_
