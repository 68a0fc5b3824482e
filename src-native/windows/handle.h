// Handles and errors of Windows. Only files that already include <windows.h>
// use this; the shared files have platform.h.
#ifndef HOLDFAST_WINDOWS_HANDLE_H_
#define HOLDFAST_WINDOWS_HANDLE_H_

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <stdint.h>
#include <string.h>
#include <windows.h>

#include "../file.h"

namespace holdfast {

inline HANDLE HandleOf(int fd) {
  return reinterpret_cast<HANDLE>(static_cast<intptr_t>(fd));
}

inline int FdOf(HANDLE handle) {
  return static_cast<int>(reinterpret_cast<intptr_t>(handle));
}

int ErrnoOf(DWORD error);
inline int LastErrno() { return ErrnoOf(GetLastError()); }

// Whether the last call failed because the file is deleted in the old way of
// Windows: the name stays until the last handle is closed, and until then
// nobody can open it.
bool IsDeletePending();

inline void SetOffset(OVERLAPPED* where, uint64_t offset) {
  memset(where, 0, sizeof *where);
  where->Offset = static_cast<DWORD>(offset);
  where->OffsetHigh = static_cast<DWORD>(offset >> 32);
}

// Opens a file, but not through a link at the end of the path.
int Open(const wchar_t* path, DWORD access, DWORD disposition, HANDLE* opened);

int StateOf(HANDLE handle, FileState* state);

}  // namespace holdfast

#endif  // HOLDFAST_WINDOWS_HANDLE_H_
