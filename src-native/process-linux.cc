#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"

namespace holdfast {

int OpenProcess(int pid, int* process) {
  // By number: C libraries older than the call have no wrapper for it.
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

}  // namespace holdfast
