// Opening files, and repeating interrupted calls, on Linux and macOS.
#ifndef HOLDFAST_POSIX_OPEN_H_
#define HOLDFAST_POSIX_OPEN_H_

#include <errno.h>
#include <fcntl.h>

#include "calls.h"

namespace holdfast {

constexpr int kOpenFlags =
    O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | calls::kLargeFile;

template <typename Call>
auto RetryInterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

inline int Open(const char* path, int flags, int permissions) {
  return RetryInterrupted(
      [&] { return calls::OpenPath(path, flags, permissions); });
}

}  // namespace holdfast

#endif  // HOLDFAST_POSIX_OPEN_H_
