// What Holdfast asks of the operating system about processes: to end one that
// holds a lock, who is at the other end of a socket, and to run an action when
// this one ends. For running a program see program.h.
#ifndef HOLDFAST_PROCESS_H_
#define HOLDFAST_PROCESS_H_

#include <stdint.h>

namespace holdfast {

// Opens a descriptor for a process. Unlike a pid it never means another
// process: pidfd_open(2), pidfd_send_signal(2).
int OpenProcess(int pid, int* process);
int SignalProcess(int process, int signal);

struct Peer {
  // 0: a process that is not visible from the pid namespace of this one.
  int pid;
  uint32_t user;
};

// Who is at the other end of a Unix socket: the process that called connect(2),
// or the one that called listen(2), and its effective user at that time.
// ENOTCONN: not connected. ENOTSUP: this system does not tell.
int PeerOf(int fd, Peer* peer);

// Calls `action` when the program ends by quick_exit(3), as Bun does: that runs
// no destructors. Later calls change the action, but it still runs once.
void AtQuickExit(void (*action)());

}  // namespace holdfast

#endif  // HOLDFAST_PROCESS_H_
