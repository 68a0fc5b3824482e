// No command is started on this platform: TypeScript uses node:child_process.
#include <errno.h>

#include "program.h"

namespace holdfast {

int Child::Start(Program*, Report, void*, Child**) { return ENOTSUP; }

// Unreachable, because there is never a child.
Child::End Child::Reap() { return End(); }
void Child::Abandon() {}

}  // namespace holdfast
