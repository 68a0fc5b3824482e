// The little that the addon needs of a standard library. It links against none,
// so that one file loads on glibc and on musl (runtime.cc).
#ifndef HOLDFAST_MEMORY_H_
#define HOLDFAST_MEMORY_H_

#include "buffer.h"
#include "platform.h"

namespace holdfast {

class MutexGuard {
 public:
  explicit MutexGuard(Mutex* mutex) : mutex_(mutex) { mutex_->Lock(); }
  ~MutexGuard() { mutex_->Unlock(); }
  MutexGuard(const MutexGuard&) = delete;
  MutexGuard& operator=(const MutexGuard&) = delete;

 private:
  Mutex* mutex_;
};

}  // namespace holdfast

#endif  // HOLDFAST_MEMORY_H_
