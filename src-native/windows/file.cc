// Files on Windows; their locks are in lock.cc.
#include <errno.h>

#include "handle.h"
#include "path.h"
#include "platform.h"

namespace holdfast {
namespace {

constexpr DWORD kShareAll =
    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
constexpr int kDeletePendingMs = 100;

HANDLE Create(const wchar_t* path, DWORD access, DWORD disposition,
              DWORD flags) {
  // Without security attributes no child inherits the handle.
  return CreateFileW(path, access, kShareAll, nullptr, disposition, flags,
                     nullptr);
}

// Whether it is a symlink or a junction. Other reparse points are files: in the
// cloud, or deduplicated.
bool IsLink(HANDLE handle, bool* reparse) {
  FILE_ATTRIBUTE_TAG_INFO info;
  *reparse = GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info,
                                          sizeof info) &&
             (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
  return *reparse && IsReparseTagNameSurrogate(info.ReparseTag);
}

// Removes the name at once, as unlink(2) does, even if somebody has the file
// open. Windows 10 and later can do that on NTFS. Elsewhere it fails: the old
// way would make the name unusable until the last waiter has gone.
int RemoveHandle(HANDLE handle) {
  constexpr auto kDispositionEx = static_cast<FILE_INFO_BY_HANDLE_CLASS>(21);
  // DELETE, POSIX_SEMANTICS, IGNORE_READONLY_ATTRIBUTE
  DWORD flags = 0x1 | 0x2 | 0x10;
  return SetFileInformationByHandle(handle, kDispositionEx, &flags,
                                    sizeof flags)
             ? 0
             : LastErrno();
}

int RemoveWide(const wchar_t* path, const FileState* expected) {
  HANDLE handle;
  int error = Open(path, DELETE | FILE_READ_ATTRIBUTES, OPEN_EXISTING, &handle);
  if (error != 0) return error;
  FileState state;
  error = StateOf(handle, &state);
  if (error == 0 && (expected == nullptr || state.SameFile(*expected))) {
    error = RemoveHandle(handle);
  }
  CloseHandle(handle);
  return error;
}

}  // namespace

int Open(const wchar_t* path, DWORD access, DWORD disposition, HANDLE* opened) {
  if (path == nullptr) return ENOMEM;
  HANDLE handle =
      Create(path, access, disposition, FILE_FLAG_OPEN_REPARSE_POINT);
  if (handle == INVALID_HANDLE_VALUE) return LastErrno();
  bool reparse;
  int error = IsLink(handle, &reparse) ? ELOOP : 0;
  if (error == 0 && reparse) {
    // Open the file itself, not the stub.
    CloseHandle(handle);
    handle = Create(path, access, OPEN_EXISTING, 0);
    if (handle == INVALID_HANDLE_VALUE) return LastErrno();
  }
  if (error != 0) CloseHandle(handle);
  *opened = handle;
  return error;
}

int StateOf(HANDLE handle, FileState* state) {
  BY_HANDLE_FILE_INFORMATION info;
  if (GetFileType(handle) != FILE_TYPE_DISK) {
    *state = FileState{};
    state->kind = Kind::kOther;
    return 0;
  }
  if (!GetFileInformationByHandle(handle, &info)) return LastErrno();
  state->device = info.dwVolumeSerialNumber;
  state->inode =
      static_cast<uint64_t>(info.nFileIndexHigh) << 32 | info.nFileIndexLow;
  state->size =
      static_cast<uint64_t>(info.nFileSizeHigh) << 32 | info.nFileSizeLow;
  state->kind = (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0
                    ? Kind::kDirectory
                    : Kind::kRegular;
  state->executable = false;
  state->mount = state->device;
  state->owner = 0;
  state->permissions = 0;
  return 0;
}

int OpenLockFile(const char* path, int permissions, OpenedFile* opened) {
  const WidePath wide(path);
  const DWORD disposition = permissions < 0 ? OPEN_EXISTING : OPEN_ALWAYS;
  HANDLE handle = INVALID_HANDLE_VALUE;
  int error;
  for (int waited = 0;; waited++) {
    opened->read_only = false;
    error =
        Open(wide.get(), GENERIC_READ | GENERIC_WRITE, disposition, &handle);
    if ((error != EPERM && error != EBUSY) || !IsDeletePending()) break;
    error = EBUSY;
    if (waited >= kDeletePendingMs) break;
    Sleep(1);
  }
  if (error == EPERM || error == EROFS) {
    FileState at_path;
    if (StateOfPath(path, &at_path) == 0 && at_path.kind == Kind::kDirectory) {
      return ENOTSUP;
    }
    // We may not write it. A lock only needs the right to read.
    if (Open(wide.get(), GENERIC_READ, OPEN_EXISTING, &handle) == 0) {
      error = 0;
      opened->read_only = true;
    }
  }
  if (error != 0) return error;
  error = StateOf(handle, &opened->state);
  if (error == 0 && opened->state.kind == Kind::kOther) error = ENXIO;
  if (error != 0) {
    CloseHandle(handle);
    return error;
  }
  opened->fd = FdOf(handle);
  return 0;
}

int StateOfDescriptor(int fd, FileState* state) {
  return StateOf(HandleOf(fd), state);
}

int StateOfPath(const char* path, FileState* state) {
  const WidePath wide(path);
  if (wide.get() == nullptr) return ENOMEM;
  const HANDLE handle =
      Create(wide.get(), FILE_READ_ATTRIBUTES, OPEN_EXISTING,
             FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS);
  if (handle == INVALID_HANDLE_VALUE) {
    return IsDeletePending() ? ENOENT : LastErrno();
  }
  const int error = StateOf(handle, state);
  CloseHandle(handle);
  return error;
}

// True would make even a single attempt run on a thread of its own, and this
// platform has none (wait-poll.cc).
bool IsRemote(int) { return false; }

int IsRemotePath(const char* path, bool* remote) {
  const WidePath wide(path);
  if (wide.get() == nullptr) return ENOMEM;
  *remote = wide.remote();
  return 0;
}

// TypeScript reads these files.
int OpenToRead(const char*, int*) { return ENOTSUP; }

int ReadContent(int fd, char* buffer, size_t capacity, size_t* length) {
  *length = 0;
  while (*length < capacity) {
    OVERLAPPED where;
    SetOffset(&where, *length);
    DWORD got = 0;
    if (!ReadFile(HandleOf(fd), buffer + *length,
                  static_cast<DWORD>(capacity - *length), &got, &where)) {
      if (GetLastError() == ERROR_HANDLE_EOF) break;
      return LastErrno();
    }
    if (got == 0) break;
    *length += got;
  }
  return 0;
}

int WriteAt(int fd, const char* bytes, size_t size, size_t offset,
            size_t* written) {
  OVERLAPPED where;
  SetOffset(&where, offset);
  DWORD put = 0;
  if (!WriteFile(HandleOf(fd), bytes, static_cast<DWORD>(size), &put, &where)) {
    return LastErrno();
  }
  *written = put;
  return 0;
}

int Truncate(int fd, size_t size) {
  FILE_END_OF_FILE_INFO end;
  end.EndOfFile.QuadPart = static_cast<LONGLONG>(size);
  return SetFileInformationByHandle(HandleOf(fd), FileEndOfFileInfo, &end,
                                    sizeof end)
             ? 0
             : LastErrno();
}

int CloseDescriptor(int fd) {
  return CloseHandle(HandleOf(fd)) ? 0 : LastErrno();
}

// A number from JavaScript is a descriptor of the C library of the host, not a
// handle.
int Duplicate(int, int*) { return ENOTSUP; }
int IsWritable(int, bool*) { return ENOTSUP; }
int SetCloseOnExec(int, bool) { return ENOTSUP; }

int RemoveGuarded(const char* path, const FileState& file) {
  // Where the file cannot be removed (FAT, a share, a handle that does not
  // allow it), it stays: empty, and as good a lock file as before.
  RemoveWide(WidePath(path).get(), &file);
  return 0;
}

int RemoveFile(const char* path) {
  RemoveWide(WidePath(path).get(), nullptr);
  return 0;
}

}  // namespace holdfast
