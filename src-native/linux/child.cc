// Running a command beside this process. libuv cannot do this: it closes the
// descriptors that the caller passed, decodes words, and does not report
// real-time signals.
//
// Four things make it safe:
//   1. The waiting thread is created before the child. If that came later and
//      failed, the command would run and nobody would learn of its end.
//   2. The child shares this memory until its exec, as after vfork(2), so its
//      cost does not depend on the size of this process. It runs on a stack of
//      its own, and every signal is blocked before it exists: no handler of the
//      host runs in it. It allocates nothing.
//   3. The waiting thread is the one that creates the child, because a child
//      that ends with its parent (prctl(2), PR_SET_PDEATHSIG) ends with the
//      thread that created it. A JavaScript thread may be a worker, which ends
//      earlier; the waiting thread ends after the child, or with the process.
//   4. The thread waits for the end of the child without reaping it (WNOWAIT).
//      The JavaScript thread first joins the waiting thread and then reaps.
//      Until then the pid belongs to the child, so a forwarded signal reaches
//      nobody else.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../posix/enter.h"
#include "../posix/thread.h"
#include "futex.h"

namespace holdfast {

struct Birth {
  Program* program;
  Invocation invocation;
  int parent;
  // The child writes here why the command could not start.
  volatile int error;
};

namespace {

constexpr size_t kStackSize = 64 * 1024;

// Values of Child::born_: from kFailed on, an errno is added.
constexpr uint32_t kUnborn = 0;
constexpr uint32_t kBorn = 1;
constexpr uint32_t kFailed = 2;

// The kernel tells the child of its parent's death only from now on:
//   1. The child exists, and has not said yet that it wants the signal.
//   2. This process is killed. The child has another parent now.
//   3. The child asks for the signal. It would come when that parent ends.
// So afterwards it looks who its parent is; 0 is one outside of this pid
// namespace.
void EndWithParent(int parent) {
  syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const long current = syscall(SYS_getppid);
  if (current != parent && current != 0) _exit(127);
}

int RunChild(void* argument) {
  Birth* birth = static_cast<Birth*>(argument);
  if (birth->program->end_with_parent) EndWithParent(birth->parent);
  EnterProgram(*birth->program);
  birth->error = birth->invocation.Execute();
  _exit(127);
}

// Returns an errno; 0: `pid` is that of the command. Every signal is blocked on
// this thread.
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
  // The stack grows downwards from an aligned address.
  char* const top =
      stack + kStackSize - reinterpret_cast<uintptr_t>(stack + kStackSize) % 16;
  birth->parent = getpid();
  birth->error = 0;
  *pid = clone(RunChild, top, CLONE_VM | CLONE_VFORK | SIGCHLD, birth);
  const int error = *pid == -1 ? errno : birth->error;
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
  const int error = Clone(self->birth_, &self->pid_);
  const int pid = self->pid_;
  self->born_.store(error == 0 ? kBorn : kFailed + error,
                    std::memory_order_release);
  FutexWake(&self->born_);
  siginfo_t info;
  if (error == 0) {
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
  child->birth_ = &birth;
  int error = StartThread(&child->thread_, false, Watch, child);
  if (error != 0) {
    delete child;
    return error;
  }
  // As long as after vfork(2): until the exec.
  uint32_t born;
  while ((born = child->born_.load(std::memory_order_acquire)) == kUnborn) {
    FutexWait(&child->born_, kUnborn, nullptr);
  }
  if (born != kBorn) {
    pthread_join(child->thread_, nullptr);
    child->Unreference();
    return static_cast<int>(born - kFailed);
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
