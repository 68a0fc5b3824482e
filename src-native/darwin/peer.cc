// By itself: Linux, where the other files of this folder are compiled for a
// test, has none of these structures.
#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/ucred.h>
#include <sys/un.h>

#include "../process.h"

namespace holdfast {

int PeerOf(int fd, Peer* peer) {
  struct xucred found;
  socklen_t size = sizeof found;
  if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERCRED, &found, &size) == -1) {
    return errno;
  }
  if (size != sizeof found || found.cr_version != XUCRED_VERSION) {
    return ENOTSUP;
  }
  pid_t pid;
  size = sizeof pid;
  if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &size) == -1) {
    return errno;
  }
  peer->pid = pid;
  peer->user = found.cr_uid;
  return 0;
}

}  // namespace holdfast
