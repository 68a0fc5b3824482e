// A thread blocked in flock(2) is woken by the kernel the moment the lock is
// free. pthread_cancel ends it, with asynchronous cancellation, which is
// enabled around the bare system call alone. Nobody joins a thread: each is
// detached and reports its own end.
//
// When a cancel meets a grant:
//   1. The waiting thread has returned from flock with the lock, or is still in
//      it and the kernel has already granted the lock.
//   2. The starter cancels. Each of the two tries a compare-and-swap on
//      `state_`, and only one succeeds.
//   3. If the thread succeeds, the wait has settled. Cancel() returns false,
//      and the starter releases the lock.
//   4. If the starter succeeds, the thread runs Waiter::End, however it ends.
//      That unlocks and closes whatever flock may have returned. The state
//      "cancelled" does not tell whether the kernel had granted the lock: in 3
//      of 100 such races it had.
#include <pthread.h>

#include "../wait.h"
#include "futex.h"
#include "waiter.h"

namespace holdfast {

int Wait::Start(int fd, int operation, uint64_t id, bool post, Mailbox* mailbox,
                Wait** started) {
  const int unprepared = Waiter::Prepare();
  if (unprepared != 0) return unprepared;
  Wait* wait = new Wait;
  wait->fd_ = fd;
  wait->operation_ = operation;
  wait->id_ = id;
  wait->post_ = post;
  wait->mailbox_ = mailbox;
  mailbox->Reference();
  if (!Waiter::Reuse(wait)) {
    const int error = Waiter::Create(wait);
    if (error != 0) {
      wait->Unreference();
      wait->Unreference();
      return error;
    }
  }
  *started = wait;
  return 0;
}

bool Wait::AwaitSettled(int milliseconds) {
  return SleepUntil(&state_, milliseconds,
                    [](uint32_t state) { return state == kSettled; });
}

bool Wait::Settle(int result) {
  result_ = result;
  uint32_t expected = kWaiting;
  if (!state_.compare_exchange_strong(expected, kSettled,
                                      std::memory_order_acq_rel)) {
    return false;
  }
  if (!post_) FutexWake(&state_);
  return true;
}

void Wait::Report() {
  if (post_) {
    mailbox_->Post(this);
  } else {
    Unreference();
  }
}

bool Wait::Cancel() {
  uint32_t expected = kWaiting;
  if (!state_.compare_exchange_strong(expected, kCancelling,
                                      std::memory_order_acq_rel)) {
    return false;
  }
  mailbox_->BeginClosing();
  pthread_cancel(thread_);
  state_.store(kCancelled, std::memory_order_release);
  FutexWake(&state_);
  return true;
}

void Wait::Unreference() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  mailbox_->Unreference();
  delete this;
}

void Mailbox::EndClosing() {
  closing_.fetch_sub(1, std::memory_order_release);
  FutexWake(&closing_);
}

void Mailbox::AwaitClosed(int milliseconds) {
  SleepUntil(&closing_, milliseconds, [](uint32_t left) { return left == 0; });
}

}  // namespace holdfast
