// macOS knows a process by its pid alone. The pid may belong to another process
// by the time of the signal. And the kernel does not tell who holds a lock.
#include <errno.h>

#include "../process.h"

namespace holdfast {

int OpenProcess(int, int*) { return ENOTSUP; }
int SignalProcess(int, int) { return ENOTSUP; }

// On macOS Bun ends by exit(3), which runs destructors.
void AtQuickExit(void (*)()) {}

}  // namespace holdfast
