// Windows has no signals, and its kernel does not tell which process holds a
// lock. So no holder could be verified before it is ended.
#include "../process.h"

#include <errno.h>

namespace holdfast {

int OpenProcess(int, int*) { return ENOTSUP; }
int SignalProcess(int, int) { return ENOTSUP; }

void AtQuickExit(void (*)()) {}

}  // namespace holdfast
