// Windows has no exec.
#include <errno.h>

#include "../program.h"

namespace holdfast {

int ExecuteInPlace(Program*) { return ENOTSUP; }

}  // namespace holdfast
