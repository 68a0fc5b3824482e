// Starting a thread of the addon.
#ifndef HOLDFAST_POSIX_THREAD_H_
#define HOLDFAST_POSIX_THREAD_H_

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

namespace holdfast {

// Starts the thread with every signal blocked: no handler of the host may run
// on it. Returns an errno. The thread may have begun or ended before `thread`
// is written.
inline int StartThread(pthread_t* thread, bool detached, void* (*main)(void*),
                       void* argument) {
  // The thread itself needs little, but preloaded libraries put thread-local
  // storage there.
  size_t stack = 256 * 1024;
  const long minimum = sysconf(_SC_THREAD_STACK_MIN);
  if (minimum > 0 && static_cast<size_t>(minimum) > stack) {
    stack = static_cast<size_t>(minimum);
  }
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (detached) {
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  }
  pthread_attr_setstacksize(&attributes, stack);
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  const int error = pthread_create(thread, &attributes, main, argument);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace holdfast

#endif  // HOLDFAST_POSIX_THREAD_H_
