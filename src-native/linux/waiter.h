// The threads that wait in flock(2). The race between a grant and a cancel is
// described in wait.cc.
#ifndef HOLDFAST_LINUX_WAITER_H_
#define HOLDFAST_LINUX_WAITER_H_

#include <pthread.h>
#include <stdint.h>

#include <atomic>

#include "../wait.h"

namespace holdfast {

// What the functions behind pthread_cleanup_push and pthread_cleanup_pop take
// in musl. glibc has functions of the same names that take something else.
struct Cleanup {
  void (*routine)(void*);
  void* argument;
  Cleanup* next;
};

// The thread that runs a wait. It deletes itself when the thread ends.
class Waiter {
 public:
  // Once, before anything else. Not 0: no thread could be cancelled here.
  static int Prepare();
  // Gives the job to an idle thread; false: there is none.
  static bool Reuse(Wait* job);
  // Gives the job to a new thread. An errno.
  static int Create(Wait* job);

 private:
  static void PrepareOnce();
  static void* Main(void* argument);
  static void End(void* argument);

  bool Serve();
  bool AwaitJob();

  pthread_t thread_;
  std::atomic<uint32_t> wake_{0};
  Wait* job_ = nullptr;
  Waiter* next_ = nullptr;
  // Not on the stack of the thread: AddressSanitizer does not notice an
  // asynchronous end, and would keep guarding the place there.
  Cleanup cleanup_;
};

}  // namespace holdfast

#endif  // HOLDFAST_LINUX_WAITER_H_
