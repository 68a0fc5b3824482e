// A process is known by its pid alone here, which may be another's by the time
// it is signalled, and the kernel does not tell who has a lock.
#include <errno.h>

#include "../process.h"

namespace holdfast {

int OpenProcess(int, int*) { return ENOTSUP; }
int SignalProcess(int, int) { return ENOTSUP; }

// Bun ends by exit(3) here, which runs destructors.
void AtQuickExit(void (*)()) {}

}  // namespace holdfast
