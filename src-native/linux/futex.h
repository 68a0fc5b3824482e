// Sleeping until a word in memory changes: futex(2).
#ifndef HOLDFAST_LINUX_FUTEX_H_
#define HOLDFAST_LINUX_FUTEX_H_

#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace holdfast {

inline void FutexWait(std::atomic<uint32_t>* word, uint32_t expected,
                      const struct timespec* timeout) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout, nullptr, 0);
}

inline void FutexWake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

inline int64_t NowMilliseconds() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000} + now.tv_nsec / 1000000;
}

// Sleeps until `done` is true of the word, or `milliseconds` have passed.
template <typename Done>
bool SleepUntil(std::atomic<uint32_t>* word, int milliseconds, Done done) {
  const int64_t deadline = NowMilliseconds() + milliseconds;
  for (;;) {
    const uint32_t seen = word->load(std::memory_order_acquire);
    if (done(seen)) return true;
    const int64_t left = deadline - NowMilliseconds();
    if (left <= 0) return false;
    const struct timespec timeout = {static_cast<time_t>(left / 1000),
                                     static_cast<long>(left % 1000 * 1000000)};
    FutexWait(word, seen, &timeout);
  }
}

}  // namespace holdfast

#endif  // HOLDFAST_LINUX_FUTEX_H_
