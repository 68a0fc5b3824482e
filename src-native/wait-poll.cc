// No wait in the kernel: Start() refuses, and TypeScript polls (src/lock/).
//
// macOS: nothing is certain to end a thread in flock(2). flock is not among the
// functions that pthread_cancel is documented to end there.
//
// NT could do it: a pending LockFileEx on an overlapped handle, ended by
// CancelIoEx. But the race between the two must be run before anybody can trust
// it, and this code is run under wine. Wine leaves such a request pending and
// cannot cancel it.
#include "wait.h"

#include <errno.h>

namespace holdfast {

int Wait::Start(int, int, uint64_t, bool, Mailbox*, Wait**) { return ENOSYS; }

// Unreachable, because there is never a wait.
bool Wait::AwaitSettled(int) { return false; }
bool Wait::Settle(int) { return false; }
void Wait::Report() {}
bool Wait::Cancel() { return false; }
void Wait::Unreference() {}

void Mailbox::EndClosing() {}
void Mailbox::AwaitClosed(int) {}

}  // namespace holdfast
