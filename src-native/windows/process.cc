// Windows has no signals, and its kernel does not tell which process has a
// lock: nobody could be verified before he is ended.
#include "../process.h"

#include <errno.h>

namespace holdfast {

int OpenProcess(int, int*) { return ENOTSUP; }
int SignalProcess(int, int) { return ENOTSUP; }

void AtQuickExit(void (*)()) {}

}  // namespace holdfast
