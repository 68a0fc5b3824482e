// Running a command beside this process. libuv cannot do this: it closes the
// descriptors that the caller passed, decodes words, and does not report
// real-time signals.
//
// Three things make it safe:
//   1. The waiting thread is created before the child. If that came later and
//      failed, the command would run and nobody would learn of its end.
//   2. The child shares this memory until its exec, as after vfork(2), so its
//      cost does not depend on the size of this process. It runs on a stack of
//      its own, and every signal is blocked before it exists: no handler of the
//      host runs in it. It allocates nothing.
//   3. The thread waits for the end of the child without reaping it (WNOWAIT).
//      The JavaScript thread first joins the waiting thread and then reaps.
//      Until then the pid belongs to the child, so a forwarded signal reaches
//      nobody else.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../posix/enter.h"
#include "../posix/thread.h"

namespace holdfast {
namespace {

constexpr size_t kStackSize = 64 * 1024;

struct Birth {
  Program* program;
  Invocation invocation;
  // The child writes here why the command could not start.
  volatile int error;
};

int RunChild(void* argument) {
  Birth* birth = static_cast<Birth*>(argument);
  EnterProgram(*birth->program);
  birth->error = birth->invocation.Execute();
  _exit(127);
}

// Returns an errno; 0: `pid` is that of the command.
int Clone(Birth* birth, int* pid) {
  char* stack = static_cast<char*>(malloc(kStackSize));
  if (stack == nullptr) return ENOMEM;
  // With SIGCHLD ignored, the kernel would reap the child: waitid(2).
  struct sigaction on_child;
  if (sigaction(SIGCHLD, nullptr, &on_child) == 0 &&
      on_child.sa_handler == SIG_IGN) {
    on_child.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &on_child, nullptr);
  }
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  // The stack grows downwards from an aligned address.
  char* const top =
      stack + kStackSize - reinterpret_cast<uintptr_t>(stack + kStackSize) % 16;
  birth->error = 0;
  *pid = clone(RunChild, top, CLONE_VM | CLONE_VFORK | SIGCHLD, birth);
  const int error = *pid == -1 ? errno : birth->error;
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  free(stack);
  if (*pid != -1 && error != 0) {
    while (waitpid(*pid, nullptr, 0) == -1 && errno == EINTR) {
    }
  }
  return error;
}

}  // namespace

void* Child::Watch(void* argument) {
  Child* self = static_cast<Child*>(argument);
  // Start() holds the mutex until it has a child, or has failed.
  self->mutex_.Lock();
  const int pid = self->pid_;
  self->mutex_.Unlock();
  siginfo_t info;
  if (pid > 0) {
    do {
      memset(&info, 0, sizeof info);
    } while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) ==
                 -1 &&
             errno == EINTR);
    self->end_.exited = info.si_code == CLD_EXITED;
    self->end_.status = info.si_status;
    MutexGuard guard(&self->mutex_);
    self->ended_ = true;
    if (self->wanted_) {
      self->report_(self, self->context_);
    } else {
      self->ReapZombie();
    }
  }
  self->Unreference();
  return nullptr;
}

int Child::Start(Program* program, Report report, void* context,
                 Child** started) {
  Birth birth;
  birth.program = program;
  if (!birth.invocation.Prepare(program)) return ENOMEM;
  Child* child = new Child;
  child->report_ = report;
  child->context_ = context;
  child->mutex_.Lock();
  int error = StartThread(&child->thread_, false, Watch, child);
  if (error != 0) {
    child->mutex_.Unlock();
    delete child;
    return error;
  }
  int pid = 0;
  error = Clone(&birth, &pid);
  child->pid_ = error == 0 ? pid : 0;
  child->mutex_.Unlock();
  if (error != 0) {
    pthread_join(child->thread_, nullptr);
    child->Unreference();
    return error;
  }
  *started = child;
  return 0;
}

Child::End Child::Reap() {
  // The thread may still be inside the report.
  pthread_join(thread_, nullptr);
  ReapZombie();
  const End end = end_;
  Unreference();
  return end;
}

void Child::Abandon() {
  {
    MutexGuard guard(&mutex_);
    wanted_ = false;
    if (ended_) ReapZombie();
  }
  pthread_detach(thread_);
  Unreference();
}

// For a child that has ended. Afterwards its pid may belong to another process.
void Child::ReapZombie() {
  while (waitpid(pid_, nullptr, 0) == -1 && errno == EINTR) {
  }
}

void Child::Unreference() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

}  // namespace holdfast
