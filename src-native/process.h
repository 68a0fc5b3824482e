// What Holdfast asks of the operating system about processes: to end one that
// holds a lock, and to run an action when this one ends. For running a program
// see program.h.
#ifndef HOLDFAST_PROCESS_H_
#define HOLDFAST_PROCESS_H_

namespace holdfast {

// Opens a descriptor for a process. Unlike a pid it never means another
// process: pidfd_open(2), pidfd_send_signal(2).
int OpenProcess(int pid, int* process);
int SignalProcess(int process, int signal);

// Calls `action` when the program ends by quick_exit(3), as Bun does: that runs
// no destructors. Later calls change the action, but it still runs once.
void AtQuickExit(void (*action)());

}  // namespace holdfast

#endif  // HOLDFAST_PROCESS_H_
