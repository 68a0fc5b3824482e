#include "waiter.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/file.h>

#include "../file.h"
#include "../memory.h"
#include "../posix/thread.h"
#include "futex.h"

namespace holdfast {
namespace {

// How long a thread that has delivered a grant waits for the next job. Giving a
// job to an existing thread takes half the time of creating one. A few threads
// are enough, because this only saves time when one wait follows another.
constexpr int kIdleMilliseconds = 5000;
constexpr int kIdleThreads = 4;

Mutex pool_mutex;
Waiter* idle = nullptr;
int idle_count = 0;

pthread_key_t end_key;
pthread_once_t prepare_once = PTHREAD_ONCE_INIT;
int prepare_error = 0;

void (*musl_push)(Cleanup*, void (*)(void*), void*) = nullptr;
void (*musl_pop)(Cleanup*, int run) = nullptr;

// Keeps the end of a cancelled thread from crashing under musl before 1.2.4
// (Debian 12, Alpine 3.17). That musl ends a thread that is cancelled
// asynchronously by a jump from any instruction, with a stack that is not
// aligned for a call: in flock(2) on x86-64 it is 8 bytes off. The first
// aligned access to the stack in a destructor, ours or one of the runtime
// (Bun's allocator has one), is then a SIGSEGV.
//
// musl calls this function first on such a stack. It aligns the stack and ends
// the thread by a call, as a cancellation handler may; the destructors run from
// there. On other processors the stack is aligned, or need not be.
#ifdef __x86_64__
__attribute__((force_align_arg_pointer))
#endif
void EndAligned(void*) {
  pthread_exit(nullptr);
}

}  // namespace

void Waiter::PrepareOnce() {
  // glibc loads the unwinder at the first cancel, and aborts the process if
  // that fails (no such file, no descriptor left). So load it now, while a
  // failure is harmless. musl needs none.
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

int Waiter::Prepare() {
  pthread_once(&prepare_once, PrepareOnce);
  return prepare_error;
}

int Waiter::Create(Wait* job) {
  Waiter* waiter = new Waiter;
  waiter->job_ = job;
  // Write the id into the wait, not into the waiter: musl writes it after the
  // thread has begun to run, and by then the waiter may have ended.
  const int error = StartThread(&job->thread_, true, Main, waiter);
  if (error != 0) delete waiter;
  return error;
}

bool Waiter::Reuse(Wait* job) {
  pool_mutex.Lock();
  Waiter* waiter = idle;
  if (waiter != nullptr) {
    idle = waiter->next_;
    idle_count--;
  }
  pool_mutex.Unlock();
  if (waiter == nullptr) return false;
  job->thread_ = waiter->thread_;
  waiter->job_ = job;
  waiter->wake_.store(1, std::memory_order_release);
  FutexWake(&waiter->wake_);
  return true;
}

// Not noexcept: a cancelled thread unwinds through it.
void* Waiter::Main(void* argument) {
  Waiter* self = static_cast<Waiter*>(argument);
  int unused;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &unused);
  self->thread_ = pthread_self();
  pthread_setspecific(end_key, self);
  const bool musl = musl_push != nullptr && musl_pop != nullptr;
  if (musl) musl_push(&self->cleanup_, EndAligned, nullptr);
  while (self->Serve() && self->AwaitJob()) {
  }
  if (musl) musl_pop(&self->cleanup_, 0);
  return nullptr;
}

// False: the wait was cancelled, so the thread ends.
bool Waiter::Serve() {
  Wait* wait = job_;
  const int fd = wait->fd_;
  const int operation = wait->operation_;
  int unused;
  int result;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &unused);
  // From here on the thread can vanish at any instruction, also by a cancel
  // that is already pending. So it owns nothing: no object, mutex or
  // allocation.
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &unused);
  do {
    result = flock(fd, operation) == -1 ? errno : 0;
  } while (result == EINTR);
  // Set the type first. glibc checks the state only when it sends the signal of
  // a cancel; when that signal arrives late, its handler checks the type. If
  // the type were still asynchronous, the signal would end the thread inside
  // End, and the lock would never be released (seen in 1 of 300 races).
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &unused);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &unused);

  if (!wait->Settle(result)) return false;
  job_ = nullptr;
  wait->Report();
  return true;
}

// False: no job came, so the thread ends.
bool Waiter::AwaitJob() {
  wake_.store(0, std::memory_order_relaxed);
  {
    MutexGuard guard(&pool_mutex);
    if (idle_count >= kIdleThreads) return false;
    next_ = idle;
    idle = this;
    idle_count++;
  }
  const auto woken = [](uint32_t word) { return word == 1; };
  if (SleepUntil(&wake_, kIdleMilliseconds, woken)) return true;
  {
    MutexGuard guard(&pool_mutex);
    for (Waiter** link = &idle; *link != nullptr; link = &(*link)->next_) {
      if (*link != this) continue;
      *link = next_;
      idle_count--;
      return false;
    }
  }
  // Reuse has taken this thread off the list at the last moment, so a job is
  // coming.
  while (!SleepUntil(&wake_, kIdleMilliseconds, woken)) {
  }
  return true;
}

// The destructor of a thread-specific value: runs however the thread ends.
void Waiter::End(void* argument) {
  Waiter* self = static_cast<Waiter*>(argument);
  Wait* wait = self->job_;
  if (wait != nullptr) {
    // The starter may still be inside pthread_cancel with the id of this
    // thread, and the id is valid only until the thread ends.
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

}  // namespace holdfast
