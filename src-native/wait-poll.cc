// No wait in the kernel: Start() refuses, and TypeScript polls (waiting.ts).
//
// macOS: a thread in flock(2) cannot be got out of it for certain, since flock
// is not among the functions that pthread_cancel is said to end there.
//
// NT could do it: a pending LockFileEx on an overlapped handle, ended by
// CancelIoEx. But what a lock library does in the race between the two has to
// be run before it can be believed, and wine, where all of this is run, leaves
// such a request pending for ever and cannot cancel it.
#include "wait.h"

#include <errno.h>

namespace holdfast {

int Wait::Start(int, int, uint64_t, bool, Mailbox*, Wait**) { return ENOSYS; }

// None of these is reached without a wait.
bool Wait::AwaitSettled(int) { return false; }
bool Wait::Settle(int) { return false; }
void Wait::Report() {}
bool Wait::Cancel() { return false; }
void Wait::Unreference() {}

void Mailbox::EndClosing() {}
void Mailbox::AwaitClosed(int) {}

}  // namespace holdfast
