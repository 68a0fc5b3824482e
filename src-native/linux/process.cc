#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "../process.h"

namespace holdfast {
namespace {

std::atomic<void (*)()> at_quick_exit_action{nullptr};

void RunAction(void*) { at_quick_exit_action.load()(); }

}  // namespace

int OpenProcess(int pid, int* process) {
  // Called by number: older C libraries have no wrapper for it.
  constexpr long kPidfdOpen = 434;
  const long result = syscall(kPidfdOpen, pid, 0);
  if (result == -1) return errno;
  *process = static_cast<int>(result);
  return 0;
}

int SignalProcess(int process, int signal) {
  constexpr long kPidfdSendSignal = 424;
  return syscall(kPidfdSendSignal, process, signal, nullptr, 0) == -1 ? errno
                                                                      : 0;
}

void AtQuickExit(void (*action)()) {
  if (at_quick_exit_action.exchange(action) != nullptr) return;
  // musl exports the standard function. glibc links it into every program, and
  // exports only the function that it calls.
  void* const plain = dlsym(RTLD_DEFAULT, "at_quick_exit");
  void* const inner = dlsym(RTLD_DEFAULT, "__cxa_at_quick_exit");
  if (inner != nullptr) {
    reinterpret_cast<int (*)(void (*)(void*), void*)>(inner)(RunAction,
                                                             nullptr);
  } else if (plain != nullptr) {
    reinterpret_cast<int (*)(void (*)())>(plain)(action);
  }
}

}  // namespace holdfast
