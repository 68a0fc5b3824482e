#include <errno.h>
#include <sys/socket.h>

#include "../process.h"

namespace holdfast {

int PeerOf(int fd, Peer* peer) {
  struct ucred found;
  socklen_t size = sizeof found;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &size) == -1) {
    return errno;
  }
  // Of a socket without a peer, or of another family, the kernel says this.
  if (found.uid == static_cast<uid_t>(-1)) return ENOTCONN;
  peer->pid = found.pid;
  peer->user = found.uid;
  return 0;
}

}  // namespace holdfast
