// Waiting for a flock in the kernel. A wait has a thread of its own: it blocks
// neither the thread of the caller nor libuv's pool, and it can be ended at any
// moment.
#ifndef HOLDFAST_WAIT_H_
#define HOLDFAST_WAIT_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "platform.h"

namespace holdfast {

class Wait;
class Waiter;

// Receives the ends of the waits of one environment. It counts references,
// because a waiting thread can outlive the environment by a moment.
class Mailbox {
 public:
  virtual ~Mailbox() = default;
  // Called on the waiting thread: `wait` has settled, or it was cancelled and
  // its descriptor is closed. Takes over the reference of the thread.
  virtual void Post(Wait* wait) = 0;

  void Reference() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unreference() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // Counts the cancelled waits whose descriptor is not closed yet.
  void BeginClosing() { closing_.fetch_add(1, std::memory_order_relaxed); }
  void EndClosing();
  // Sleeps until there are none, or `milliseconds` have passed.
  void AwaitClosed(int milliseconds);

 private:
  std::atomic<uint32_t> references_{1};
  std::atomic<uint32_t> closing_{0};
};

// One wait. Until it settles, the waiting thread owns the descriptor;
// afterwards the starter owns it again.
class Wait {
 public:
  // `operation` is LOCK_SH or LOCK_EX; with LOCK_NB it is a single attempt that
  // must not block the caller on a file system that may hang. With `post`, the
  // end is reported to `mailbox`. Not 0: no thread can be created, or it could
  // not be cancelled; the caller polls instead.
  static int Start(int fd, int operation, uint64_t id, bool post,
                   Mailbox* mailbox, Wait** started);

  // Sleeps for at most `milliseconds`; true: settled.
  bool AwaitSettled(int milliseconds);
  // For a settled wait: 0 if the lock is held, else an errno.
  int result() const { return result_; }
  uint64_t id() const { return id_; }
  bool posts() const { return post_; }
  bool cancelled() const {
    return state_.load(std::memory_order_acquire) == kCancelled;
  }

  // True: ended before it settled. Its thread releases what the kernel may have
  // granted at the same moment, and closes the descriptor. That takes a tenth
  // of a millisecond. False: it has settled, and the caller owns the
  // descriptor.
  bool Cancel();

  // One reference belongs to the starter, one to the thread.
  void Unreference();

 private:
  friend Waiter;
  Wait() = default;
  ~Wait() = default;
  bool Settle(int result);
  // The last call of the thread for this wait.
  void Report();

  // waiting -> settled (by its thread), or waiting -> cancelling -> cancelled
  // (by its starter). AwaitSettled sleeps on this word.
  enum State : uint32_t { kWaiting, kCancelling, kCancelled, kSettled };
  std::atomic<uint32_t> state_{kWaiting};
  std::atomic<uint32_t> references_{2};
  int fd_ = -1;
  int operation_ = 0;
  int result_ = 0;
  bool post_ = false;
  uint64_t id_ = 0;
  Mailbox* mailbox_ = nullptr;
  ThreadId thread_{};
};

}  // namespace holdfast

#endif  // HOLDFAST_WAIT_H_
