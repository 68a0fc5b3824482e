// No command is started here: TypeScript uses node:child_process.
#include <errno.h>

#include "program.h"

namespace holdfast {

int Child::Start(Program*, Report, void*, Child**) { return ENOTSUP; }

// Neither is reached without a child.
Child::End Child::Reap() { return End(); }
void Child::Abandon() {}

}  // namespace holdfast
