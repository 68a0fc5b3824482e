// Waiting for a flock in the kernel, on a thread of its own, so that neither
// the caller's thread nor libuv's pool is taken, and so that it can be ended
// at any moment.
#ifndef HOLDFAST_WAIT_H_
#define HOLDFAST_WAIT_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "platform.h"

namespace holdfast {

class Wait;
struct Waiter;

// Where the ends of one environment's waits are reported. Reference-counted,
// because a waiting thread can outlive the environment by a moment.
class Mailbox {
 public:
  virtual ~Mailbox() = default;
  // On the waiting thread: `wait` has settled, or it was cancelled and its
  // descriptor is closed. Takes over the thread's reference.
  virtual void Post(Wait* wait) = 0;

  void Reference() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unreference() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // Cancelled waits whose descriptor is not closed yet.
  void BeginClosing() { closing_.fetch_add(1, std::memory_order_relaxed); }
  void EndClosing();
  // Until there are none, or `milliseconds` have passed.
  void AwaitClosed(int milliseconds);

 private:
  std::atomic<uint32_t> references_{1};
  std::atomic<uint32_t> closing_{0};
};

// One wait. While it has not settled, the waiting thread owns the descriptor;
// from then on whoever started the wait owns it again.
class Wait {
 public:
  // `operation` is LOCK_SH or LOCK_EX, with LOCK_NB for a single attempt that
  // must not block the caller on a file system that may hang. `mailbox`
  // hears of its end where `post` is true. Not 0: no thread is to be had, or
  // it could not be cancelled; the caller polls instead.
  static int Start(int fd, int operation, uint64_t id, bool post,
                   Mailbox* mailbox, Wait** started);

  // For at most `milliseconds`; true once settled.
  bool AwaitSettled(int milliseconds);
  // Of a settled wait: 0 when the lock is held, else an errno.
  int result() const { return result_; }
  uint64_t id() const { return id_; }
  bool posts() const { return post_; }
  bool cancelled() const {
    return state_.load(std::memory_order_acquire) == kCancelled;
  }

  // True: ended before it settled. Its thread gives back what the kernel may
  // have granted at the same moment and closes the descriptor, which takes a
  // tenth of a millisecond. False: it has settled, and the descriptor is the
  // caller's.
  bool Cancel();

  // One reference is the starter's, one the thread's.
  void Unreference();

 private:
  friend Waiter;
  Wait() = default;
  ~Wait() = default;
  bool Settle(int result);
  // The thread's last word.
  void Report();

  // waiting -> settled (by its thread), or waiting -> cancelling -> cancelled
  // (by its starter). The word is also what AwaitSettled sleeps on.
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
