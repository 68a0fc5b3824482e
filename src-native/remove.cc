// Removing a file under the guard of its path: Linux and Windows. For macOS see
// darwin/file.cc.
#include <errno.h>

#include "file.h"

namespace holdfast {

int RemoveIfSame(const char* path, const FileState& file, int patience_ms) {
  PathGuard guard(path, PathGuard::Purpose::kPath, patience_ms);
  if (guard.error() != 0 && guard.error() != EAGAIN) {
    // A folder, a symlink, or somebody else's file: leave it there.
    FileState at_path;
    const bool gone = StateOfPath(path, &at_path) != 0;
    if (gone || !at_path.SameFile(file)) return 0;
  }
  if (guard.error() != 0) return guard.error();
  if (!guard.state().SameFile(file)) return 0;
  return RemoveGuarded(path, file);
}

}  // namespace holdfast
