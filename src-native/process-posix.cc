#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "file.h"
#include "process.h"

namespace holdfast {

int ExecuteInPlace(const char* file, char* const argv[], int inherited_fd) {
  // Node ignores SIGPIPE, has handlers of its own and may block signals; the
  // new program expects what a shell would give it. Handlers fall to the
  // default by themselves on exec, ignored signals and the mask do not.
  constexpr int kSignals = 65;
  struct sigaction saved[kSignals];
  bool changed[kSignals] = {};
  struct sigaction fallback = {};
  fallback.sa_handler = SIG_DFL;
  for (int number = 1; number < kSignals; number++) {
    changed[number] = sigaction(number, &fallback, &saved[number]) == 0;
  }
  sigset_t none;
  sigset_t mask;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, &mask);
  // libuv marks every descriptor that a program inherits, these as well, and
  // makes pipes non-blocking once something was written into them.
  for (int stream = 0; stream <= 2; stream++) {
    SetCloseOnExec(stream, false);
    const int flags = fcntl(stream, F_GETFL);
    if (flags != -1) fcntl(stream, F_SETFL, flags & ~O_NONBLOCK);
  }
  if (inherited_fd != -1) SetCloseOnExec(inherited_fd, false);

  execvp(file, argv);

  const int error = errno;
  if (inherited_fd != -1) SetCloseOnExec(inherited_fd, true);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  for (int number = 1; number < kSignals; number++) {
    if (changed[number]) sigaction(number, &saved[number], nullptr);
  }
  return error;
}

}  // namespace holdfast
