// What Holdfast asks of the operating system about processes: to end one that
// was seen to hold a lock, and to end. For running a program see program.h.
#ifndef HOLDFAST_PROCESS_H_
#define HOLDFAST_PROCESS_H_

namespace holdfast {

// A process by a descriptor, which cannot come to mean another one with the
// same pid: pidfd_open(2), pidfd_send_signal(2).
int OpenProcess(int pid, int* process);
int SignalProcess(int process, int signal);

// Has `action` called when the program ends by quick_exit(3), which runs no
// destructors. Bun ends so. Once, however often it is asked for.
void AtQuickExit(void (*action)());

}  // namespace holdfast

#endif  // HOLDFAST_PROCESS_H_
