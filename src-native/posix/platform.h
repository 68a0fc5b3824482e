// What the files that every platform shares need of this one beyond the seams
// in file.h, process.h and wait.h. The build chooses between this file and the
// one in windows/, by the folders that headers are looked for in.
#ifndef HOLDFAST_PLATFORM_H_
#define HOLDFAST_PLATFORM_H_

#include <pthread.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

#include "../file.h"

namespace holdfast {

using ThreadId = pthread_t;

// An `fd` means something to the rest of the process.
constexpr bool kHasDescriptors = true;

class Mutex {
 public:
  void Lock() { pthread_mutex_lock(&mutex_); }
  bool TryLock() { return pthread_mutex_trylock(&mutex_) == 0; }
  void Unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

// Flock on a descriptor that may hold the lock in another mode. flock(2)
// converts by itself.
inline int ConvertFlock(int fd, bool, int operation) {
  return Flock(fd, operation);
}

inline int RemoveFile(const char* path) { return unlink(path); }

}  // namespace holdfast

#endif  // HOLDFAST_PLATFORM_H_
