// The state of a file, and whether its file system is remote.
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../file.h"
#include "../posix/calls.h"
#include "../posix/open.h"

namespace holdfast {
namespace {

// Calls statx by number: `struct statx` is the same on every architecture, and
// glibc before 2.33 exports no stat that a prebuilt file could link against.
int Statx(int fd, const char* path, int flags, FileState* state) {
  // Since Linux 6.8: an id of the mount that is never used again. Older headers
  // lack it.
  constexpr unsigned kUniqueMount = 0x4000;
  struct statx buffer;
  const unsigned wanted = STATX_TYPE | STATX_MODE | STATX_UID | STATX_INO |
                          STATX_SIZE | kUniqueMount;
  if (RetryInterrupted([&] {
        return syscall(SYS_statx, fd, path, flags, wanted, &buffer);
      }) == -1) {
    return errno;
  }
  state->device =
      static_cast<uint64_t>(buffer.stx_dev_major) << 32 | buffer.stx_dev_minor;
  state->inode = buffer.stx_ino;
  state->size = buffer.stx_size;
  state->owner = buffer.stx_uid;
  state->permissions = buffer.stx_mode & 07777;
  state->executable = (buffer.stx_mode & 0111) != 0;
  // A file system without a disk (tmpfs, FUSE) has a device number that the
  // next one can get as soon as it is unmounted. A disk keeps its number.
  const bool has_disk = buffer.stx_dev_major != 0;
  state->mount = (buffer.stx_mask & kUniqueMount) != 0 ? buffer.stx_mnt_id
                 : has_disk                            ? state->device
                                                       : 0;
  switch (buffer.stx_mode & 0170000) {
    case 0100000:
      state->kind = Kind::kRegular;
      break;
    case 0040000:
      state->kind = Kind::kDirectory;
      break;
    default:
      state->kind = Kind::kOther;
  }
  return 0;
}

bool IsRemoteType(uint64_t type) {
  switch (type & 0xffffffff) {
    case 0x6969:      // NFS
    case 0x517b:      // SMB
    case 0xff534d42:  // CIFS
    case 0xfe534d42:  // SMB2
    case 0x65735546:  // FUSE, virtiofs
    case 0x01021997:  // 9p
    case 0x00c36400:  // Ceph
    case 0x5346414f:  // AFS (OpenAFS)
    case 0x6b414653:  // AFS (kernel)
    case 0x73757245:  // Coda
    case 0x01161970:  // GFS2
    case 0x7461636f:  // OCFS2
    case 0x0bd00bd0:  // Lustre
    case 0x47504653:  // GPFS
    case 0x564c:      // NCP
    case 0x20030528:  // OrangeFS
    case 0xaad7aaea:  // PanFS
    case 0x786f4256:  // VirtualBox shared folders
    case 0xbacbacbc:  // VMware shared folders
    case 0x7c7c6673:  // Parallels shared folders
    case 0x53464846:  // WSL1
      return true;
    default:
      return false;
  }
}

}  // namespace

int StateOfDescriptor(int fd, FileState* state) {
  return Statx(fd, "", AT_EMPTY_PATH, state);
}

int StateOfPath(const char* path, FileState* state) {
  return Statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, state);
}

bool IsRemote(int fd) {
  calls::FileSystem buffer;
  return calls::StatDescriptor(fd, &buffer) == 0 &&
         IsRemoteType(static_cast<uint64_t>(buffer.f_type));
}

int IsRemotePath(const char* path, bool* remote) {
  calls::FileSystem buffer;
  if (calls::StatPath(path, &buffer) == -1) return errno;
  *remote = IsRemoteType(static_cast<uint64_t>(buffer.f_type));
  return 0;
}

}  // namespace holdfast
