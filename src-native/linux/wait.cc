// A thread blocked in flock(2) is woken by the kernel the moment the lock is
// free. It is ended by pthread_cancel with asynchronous cancellation, enabled
// around the bare system call alone. Nobody joins a thread: each is detached
// and reports its own end.
//
// A cancel that meets a grant:
//   1. The waiting thread returns from flock with the lock, or is still in it
//      and the kernel has already granted it.
//   2. The starter cancels. Only one of the two compare-and-swaps on
//      `state_` succeeds.
//   3. The thread's: it has settled. Cancel() says so, and the starter gives
//      the lock back.
//   4. The starter's: the thread, however it ends, runs Waiter::End, which
//      unlocks and closes whatever flock may have returned. "Cancelled" says
//      nothing about whether the kernel had granted the lock (in 3 % of such
//      races it had).
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../file.h"
#include "../memory.h"
#include "../posix/thread.h"
#include "../wait.h"

namespace holdfast {
namespace {

// A thread that has delivered a grant waits this long for the next job: a
// handoff to a thread that exists takes half the time of one that has to be
// made first. Few, because this saves time only where waits come in turn.
constexpr int kIdleMilliseconds = 5000;
constexpr int kIdleThreads = 4;

void FutexWait(std::atomic<uint32_t>* word, uint32_t expected,
               const struct timespec* timeout) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout, nullptr, 0);
}

void FutexWake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

int64_t NowMilliseconds() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000} + now.tv_nsec / 1000000;
}

// Sleeps until `done()` or until `milliseconds` have passed; `word` is what
// changes when it may have become true.
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

Mutex pool_mutex;
struct Waiter* idle = nullptr;
int idle_count = 0;

pthread_key_t end_key;
pthread_once_t prepare_once = PTHREAD_ONCE_INIT;
int prepare_error = 0;

// What pthread_cleanup_push and pthread_cleanup_pop are made of in musl;
// glibc has functions of the same names that take something else.
struct Cleanup {
  void (*routine)(void*);
  void* argument;
  Cleanup* next;
};
void (*musl_push)(Cleanup*, void (*)(void*), void*) = nullptr;
void (*musl_pop)(Cleanup*, int run) = nullptr;

// Before 1.2.4 (Debian 12, Alpine 3.17) musl ends a thread that is cancelled
// asynchronously by a jump from wherever it was, with a stack that is aligned
// for no call: in flock(2) on x86-64 it is 8 bytes off, and the first aligned
// access to it in a destructor, of ours or of the runtime's (Bun's allocator
// has one), is a SIGSEGV. This is what musl calls first on such a stack. It
// aligns it, and ends the thread by a call, as a handler of a cancellation
// may; the destructors run from there. Other processors cannot be off, or
// bear it.
#ifdef __x86_64__
__attribute__((force_align_arg_pointer))
#endif
void EndAligned(void*) {
  pthread_exit(nullptr);
}

}  // namespace

// The thread's side of a wait.
struct Waiter {
  pthread_t thread;
  std::atomic<uint32_t> wake{0};
  Wait* job = nullptr;
  Waiter* next = nullptr;
  // Not on the thread's stack: AddressSanitizer, which does not hear of an
  // asynchronous end, would guard its place there for ever.
  Cleanup cleanup;

  static void Prepare();
  static int Create(Wait* job);
  static bool Reuse(Wait* job);
  static void* Main(void* argument);
  static void End(void* argument);

  bool Serve();
  bool AwaitJob();
};

void Waiter::Prepare() {
  // glibc loads the unwinder at the first cancel and aborts the process where
  // that fails (no such file, no descriptor left), so load it while failing
  // is still harmless. musl needs none.
  const bool glibc = dlsym(RTLD_DEFAULT, "gnu_get_libc_version") != nullptr;
  if (glibc && dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL) == nullptr) {
    prepare_error = ENOSYS;
    return;
  }
  if (!glibc) {
    musl_push = reinterpret_cast<decltype(musl_push)>(
        dlsym(RTLD_DEFAULT, "_pthread_cleanup_push"));
    musl_pop = reinterpret_cast<decltype(musl_pop)>(
        dlsym(RTLD_DEFAULT, "_pthread_cleanup_pop"));
  }
  prepare_error = pthread_key_create(&end_key, End);
}

int Waiter::Create(Wait* job) {
  Waiter* waiter = new Waiter;
  waiter->job = job;
  // Into the wait, not into the waiter: that one may have ended by the time
  // its id is written (musl writes it after the thread has begun to run).
  const int error = StartThread(&job->thread_, true, Main, waiter);
  if (error != 0) delete waiter;
  return error;
}

bool Waiter::Reuse(Wait* job) {
  pool_mutex.Lock();
  Waiter* waiter = idle;
  if (waiter != nullptr) {
    idle = waiter->next;
    idle_count--;
  }
  pool_mutex.Unlock();
  if (waiter == nullptr) return false;
  job->thread_ = waiter->thread;
  waiter->job = job;
  waiter->wake.store(1, std::memory_order_release);
  FutexWake(&waiter->wake);
  return true;
}

// Not noexcept: a cancelled thread leaves it by unwinding.
void* Waiter::Main(void* argument) {
  Waiter* self = static_cast<Waiter*>(argument);
  int unused;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &unused);
  self->thread = pthread_self();
  pthread_setspecific(end_key, self);
  const bool musl = musl_push != nullptr && musl_pop != nullptr;
  if (musl) musl_push(&self->cleanup, EndAligned, nullptr);
  while (self->Serve() && self->AwaitJob()) {
  }
  if (musl) musl_pop(&self->cleanup, 0);
  return nullptr;
}

// False: the thread is doomed, because its wait was cancelled.
bool Waiter::Serve() {
  Wait* wait = job;
  const int fd = wait->fd_;
  const int operation = wait->operation_;
  int unused;
  int result;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &unused);
  // From here on the thread can vanish at any instruction, a cancel that is
  // pending included: it owns nothing, no object, no mutex, no allocation.
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &unused);
  do {
    result = flock(fd, operation) == -1 ? errno : 0;
  } while (result == EINTR);
  // The type first. It is what glibc's handler looks at when the signal of a
  // cancel arrives late; the state it looks at only when the signal is sent.
  // With the type left asynchronous such a signal ends the thread inside End,
  // and the lock is never given back (seen in 1 of 300 races).
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &unused);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &unused);

  if (!wait->Settle(result)) return false;
  job = nullptr;
  wait->Report();
  return true;
}

// False: no job came, the thread may go.
bool Waiter::AwaitJob() {
  wake.store(0, std::memory_order_relaxed);
  {
    MutexGuard guard(&pool_mutex);
    if (idle_count >= kIdleThreads) return false;
    next = idle;
    idle = this;
    idle_count++;
  }
  const auto woken = [](uint32_t word) { return word == 1; };
  if (SleepUntil(&wake, kIdleMilliseconds, woken)) return true;
  {
    MutexGuard guard(&pool_mutex);
    for (Waiter** link = &idle; *link != nullptr; link = &(*link)->next) {
      if (*link != this) continue;
      *link = next;
      idle_count--;
      return false;
    }
  }
  // Taken out of the list by Reuse at the last moment: the job is coming.
  while (!SleepUntil(&wake, kIdleMilliseconds, woken)) {
  }
  return true;
}

// Runs when the thread ends, in whatever way: it is the destructor of a
// thread-specific value.
void Waiter::End(void* argument) {
  Waiter* self = static_cast<Waiter*>(argument);
  Wait* wait = self->job;
  if (wait != nullptr) {
    // The starter may still be inside pthread_cancel with this thread's id,
    // which is good only as long as the thread has not ended.
    while (wait->state_.load(std::memory_order_acquire) == Wait::kCancelling) {
      FutexWait(&wait->state_, Wait::kCancelling, nullptr);
    }
    Flock(wait->fd_, LOCK_UN);
    CloseDescriptor(wait->fd_);
    wait->mailbox_->EndClosing();
    wait->Report();
  }
  delete self;
}

int Wait::Start(int fd, int operation, uint64_t id, bool post, Mailbox* mailbox,
                Wait** started) {
  pthread_once(&prepare_once, Waiter::Prepare);
  if (prepare_error != 0) return prepare_error;
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
