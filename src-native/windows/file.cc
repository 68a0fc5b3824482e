// Files on Windows. There is no flock: LockFileEx locks ranges of bytes, and
// nobody else may even read a locked byte. So what is locked is one byte far
// beyond the end of any file, and the record stays readable.
//
// The lock belongs to the open handle, as a flock belongs to its description,
// and ends with the handle or the process. What differs from flock(2) stands
// in docs/platforms-windows.md.
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <windows.h>

#include "../file.h"
#include "../memory.h"
#include "platform.h"

extern "C" NTSYSAPI LONG NTAPI RtlGetLastNtStatus(void);

namespace holdfast {
namespace {

// Every holder and waiter of every version has to mean the same byte.
constexpr uint64_t kLockOffset = uint64_t{1} << 62;
constexpr uint64_t kGuardOffset = kLockOffset + 1;

constexpr DWORD kShareAll =
    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
constexpr LONG kStatusDeletePending = static_cast<LONG>(0xC0000056);
constexpr int kDeletePendingMs = 100;

HANDLE HandleOf(int fd) {
  return reinterpret_cast<HANDLE>(static_cast<intptr_t>(fd));
}

int FdOf(HANDLE handle) {
  return static_cast<int>(reinterpret_cast<intptr_t>(handle));
}

int ErrnoOf(DWORD error) {
  switch (error) {
    case ERROR_SUCCESS:
      return 0;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_INVALID_DRIVE:
    case ERROR_BAD_PATHNAME:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_MOD_NOT_FOUND:
      return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
      return EPERM;  // so do node:fs and libuv
    case ERROR_NOACCESS:
      return EACCES;
    case ERROR_SHARING_VIOLATION:
    case ERROR_DELETE_PENDING:
    case ERROR_USER_MAPPED_FILE:
      return EBUSY;
    case ERROR_LOCK_VIOLATION:
      return EWOULDBLOCK;
    case ERROR_WRITE_PROTECT:
      return EROFS;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      return ENOSPC;
    case ERROR_TOO_MANY_OPEN_FILES:
      return EMFILE;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
      return ENOMEM;
    case ERROR_INVALID_FUNCTION:
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
      return ENOTSUP;
    case ERROR_INVALID_HANDLE:
      return EBADF;
    case ERROR_INVALID_PARAMETER:
      return EINVAL;
    case ERROR_FILENAME_EXCED_RANGE:
    case ERROR_BUFFER_OVERFLOW:
      return ENAMETOOLONG;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
      return EEXIST;
    case ERROR_DIRECTORY:
      return ENOTDIR;
    case ERROR_CANT_RESOLVE_FILENAME:
      return ELOOP;
    case ERROR_OPERATION_ABORTED:
      return ECANCELED;
    default:
      return EIO;
  }
}

int LastErrno() { return ErrnoOf(GetLastError()); }

// Deleted in the old way of Windows: the name stays until the last handle is
// closed, and nobody may open it.
bool IsDeletePending() {
  const DWORD error = GetLastError();
  return error == ERROR_DELETE_PENDING ||
         (error == ERROR_ACCESS_DENIED &&
          RtlGetLastNtStatus() == kStatusDeletePending);
}

// A path as the system takes it: UTF-16, and with the prefix that lifts the
// limit of 260 characters and that node:fs puts before it as well. It has to
// be absolute, as all are that come from JavaScript.
class WidePath {
 public:
  explicit WidePath(const char* path) {
    constexpr int kRoomForPrefix = 8;
    const int length = MultiByteToWideChar(CP_UTF8, 0, path, -1, nullptr, 0);
    if (length <= 0 ||
        !text_.Allocate((static_cast<size_t>(length) + kRoomForPrefix) *
                        sizeof(wchar_t))) {
      return;
    }
    wchar_t* text = reinterpret_cast<wchar_t*>(text_.data()) + kRoomForPrefix;
    if (MultiByteToWideChar(CP_UTF8, 0, path, -1, text, length) != length) {
      return;
    }
    for (wchar_t* at = text; *at != L'\0'; at++) {
      if (*at == L'/') *at = L'\\';
    }
    const bool drive = text[0] != L'\0' && text[1] == L':' && text[2] == L'\\';
    const bool share = text[0] == L'\\' && text[1] == L'\\' &&
                       text[2] != L'?' && text[2] != L'.';
    remote_ = share || (drive && IsRemoteDrive(text[0]));
    if (drive) {
      text = Prepend(text, L"\\\\?\\", 4);
    } else if (share) {
      // \\server\share: the second backslash becomes the prefix's last.
      text = Prepend(text + 1, L"\\\\?\\UNC", 7);
    }
    start_ = text;
  }

  // Null: no memory.
  const wchar_t* get() const { return start_; }
  bool remote() const { return remote_; }

 private:
  static wchar_t* Prepend(wchar_t* text, const wchar_t* prefix, int length) {
    memcpy(text - length, prefix,
           static_cast<size_t>(length) * sizeof(wchar_t));
    return text - length;
  }

  static bool IsRemoteDrive(wchar_t letter) {
    const wchar_t root[] = {letter, L':', L'\\', L'\0'};
    return GetDriveTypeW(root) == DRIVE_REMOTE;
  }

  Buffer text_;
  wchar_t* start_ = nullptr;
  bool remote_ = false;
};

HANDLE Create(const wchar_t* path, DWORD access, DWORD disposition,
              DWORD flags) {
  // No security attributes: no child inherits the handle.
  return CreateFileW(path, access, kShareAll, nullptr, disposition, flags,
                     nullptr);
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

// A symlink or a junction, which lead elsewhere. Other reparse points (files
// in the cloud, deduplicated ones) are files.
bool IsLink(HANDLE handle, bool* reparse) {
  FILE_ATTRIBUTE_TAG_INFO info;
  *reparse = GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info,
                                          sizeof info) &&
             (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
  return *reparse && IsReparseTagNameSurrogate(info.ReparseTag);
}

// Without following a link at its end.
int Open(const wchar_t* path, DWORD access, DWORD disposition, HANDLE* opened) {
  if (path == nullptr) return ENOMEM;
  HANDLE handle =
      Create(path, access, disposition, FILE_FLAG_OPEN_REPARSE_POINT);
  if (handle == INVALID_HANDLE_VALUE) return LastErrno();
  bool reparse;
  int error = IsLink(handle, &reparse) ? ELOOP : 0;
  if (error == 0 && reparse) {
    // What is behind it is meant, and not the stub.
    CloseHandle(handle);
    handle = Create(path, access, OPEN_EXISTING, 0);
    if (handle == INVALID_HANDLE_VALUE) return LastErrno();
  }
  if (error != 0) CloseHandle(handle);
  *opened = handle;
  return error;
}

void SetOffset(OVERLAPPED* where, uint64_t offset) {
  memset(where, 0, sizeof *where);
  where->Offset = static_cast<DWORD>(offset);
  where->OffsetHigh = static_cast<DWORD>(offset >> 32);
}

int LockByte(HANDLE handle, uint64_t offset, bool exclusive) {
  OVERLAPPED where;
  SetOffset(&where, offset);
  const DWORD flags =
      LOCKFILE_FAIL_IMMEDIATELY | (exclusive ? LOCKFILE_EXCLUSIVE_LOCK : 0);
  return LockFileEx(handle, flags, 0, 1, 0, &where) ? 0 : LastErrno();
}

// ENOLCK: nothing was locked.
int UnlockByte(HANDLE handle, uint64_t offset) {
  OVERLAPPED where;
  SetOffset(&where, offset);
  if (UnlockFileEx(handle, 0, 1, 0, &where)) return 0;
  const DWORD error = GetLastError();
  // The first is NT's answer, the second wine's.
  return error == ERROR_NOT_LOCKED || error == ERROR_LOCK_VIOLATION
             ? ENOLCK
             : ErrnoOf(error);
}

int SetSize(HANDLE handle, uint64_t size) {
  FILE_END_OF_FILE_INFO end;
  end.EndOfFile.QuadPart = static_cast<LONGLONG>(size);
  return SetFileInformationByHandle(handle, FileEndOfFileInfo, &end, sizeof end)
             ? 0
             : LastErrno();
}

// As unlink(2) does: the name goes at once, whoever has the file open. That is
// there from Windows 10 on, on NTFS. The old way would lock everybody out of
// the name until the last waiter has gone; there the file stays.
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
    // Not to be written by us. A lock needs the right to read alone.
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

// Always without waiting: there is no other use of it here. A lock of the
// handle's own in another mode is let go of first, as flock(2) does.
int Flock(int fd, int operation) {
  const HANDLE handle = HandleOf(fd);
  const bool exclusive = (operation & LOCK_EX) != 0;
  if ((operation & LOCK_UN) == 0) {
    const int error = LockByte(handle, kLockOffset, exclusive);
    if (error != EWOULDBLOCK || !exclusive) return error;
  }
  // A shared lock can be there twice.
  bool held = false;
  int error;
  while ((error = UnlockByte(handle, kLockOffset)) == 0) held = true;
  if (error != ENOLCK) return error;
  if ((operation & LOCK_UN) != 0) return 0;
  return held ? LockByte(handle, kLockOffset, exclusive) : EWOULDBLOCK;
}

// Of an exclusive and a shared lock on one handle, the exclusive one is the
// first to be unlocked (UnlockFileEx): so there is no moment in which another
// could be exclusive.
int ConvertFlock(int fd, bool was_exclusive, int operation) {
  if (was_exclusive && (operation & LOCK_EX) != 0) return 0;
  const int error = Flock(fd, operation);
  if (error != 0 || !was_exclusive || (operation & LOCK_SH) == 0) {
    return error;
  }
  return UnlockByte(HandleOf(fd), kLockOffset);
}

// Here it would mean that even an attempt goes to a thread of its own, and
// there is none (wait-poll.cc).
bool IsRemote(int) { return false; }

int IsRemotePath(const char* path, bool* remote) {
  const WidePath wide(path);
  if (wide.get() == nullptr) return ENOMEM;
  *remote = wide.remote();
  return 0;
}

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

int ReplaceContent(int fd, const char* text, size_t length, uint64_t old_size,
                   bool* touched) {
  *touched = false;
  const char* bytes = text;
  size_t total = length;
  Buffer padded;
  if (old_size > length && old_size <= kRecordLimit) {
    total = static_cast<size_t>(old_size);
    if (!padded.Allocate(total)) return ENOMEM;
    memcpy(padded.data(), text, length);
    memset(padded.data() + length, '\n', total - length);
    bytes = padded.data();
  }
  size_t written = 0;
  while (written < total) {
    OVERLAPPED where;
    SetOffset(&where, written);
    DWORD put = 0;
    if (!WriteFile(HandleOf(fd), bytes + written,
                   static_cast<DWORD>(total - written), &put, &where)) {
      return LastErrno();
    }
    if (put == 0) return EIO;
    written += put;
    *touched = true;
  }
  return old_size <= length ? 0 : SetSize(HandleOf(fd), length);
}

int CloseDescriptor(int fd) {
  return CloseHandle(HandleOf(fd)) ? 0 : LastErrno();
}

// What comes as a number from JavaScript is a descriptor of the host's C
// library, and no handle.
int Duplicate(int, int*) { return ENOTSUP; }
int IsWritable(int, bool*) { return ENOTSUP; }
int SetCloseOnExec(int, bool) { return ENOTSUP; }

// A lock on another byte, which ends with its handle as well.
PathGuard::PathGuard(const char* path, Purpose, int patience_ms) {
  const WidePath wide(path);
  for (int waited = 0;; waited++) {
    HANDLE handle;
    error_ =
        Open(wide.get(), GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, &handle);
    if (error_ != 0) {
      const bool refused = error_ == EPERM || error_ == EBUSY;
      if (refused && IsDeletePending()) error_ = ENOENT;
      return;
    }
    error_ = LockByte(handle, kGuardOffset, true);
    if (error_ == EWOULDBLOCK) error_ = EAGAIN;
    if (error_ == 0) {
      FileState at_path;
      error_ = StateOf(handle, &state_);
      if (error_ == 0) error_ = StateOfPath(path, &at_path);
      fd_ = FdOf(handle);
      if (error_ == 0 && at_path.SameFile(state_)) return;
      if (error_ == 0) error_ = EAGAIN;
    }
    CloseHandle(handle);
    fd_ = -1;
    if (error_ != EAGAIN || waited >= patience_ms) return;
    Sleep(1);
  }
}

PathGuard::~PathGuard() {
  if (fd_ != -1) CloseDescriptor(fd_);
}

int RemoveIfSame(const char* path, const FileState& file, int patience_ms) {
  PathGuard guard(path, PathGuard::Purpose::kPath, patience_ms);
  if (guard.error() != 0 && guard.error() != EAGAIN) {
    FileState at_path;
    const bool gone = StateOfPath(path, &at_path) != 0;
    if (gone || !at_path.SameFile(file)) return 0;
  }
  if (guard.error() != 0) return guard.error();
  if (!guard.state().SameFile(file)) return 0;
  // Where it cannot be had (FAT, a share, somebody who lets nobody delete),
  // the file stays: empty, and as good a lock file as before.
  RemoveWide(WidePath(path).get(), &file);
  return 0;
}

int RemoveFile(const char* path) {
  RemoveWide(WidePath(path).get(), nullptr);
  return 0;
}

// The holder's own handle would have to let its file be replaced, which no
// version of Windows before 10 can do.
int ReplaceLocked(const char*, const char*, int, const char*, size_t,
                  const FileState&, OpenedFile*) {
  return ENOTSUP;
}

void Mutex::Lock() {
  AcquireSRWLockExclusive(reinterpret_cast<PSRWLOCK>(&lock_));
}

bool Mutex::TryLock() {
  return TryAcquireSRWLockExclusive(reinterpret_cast<PSRWLOCK>(&lock_)) != 0;
}

void Mutex::Unlock() {
  ReleaseSRWLockExclusive(reinterpret_cast<PSRWLOCK>(&lock_));
}

}  // namespace holdfast
