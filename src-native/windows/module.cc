// Loading the addon, and keeping it loaded.
//
// The addon imports from `node.exe`. But its host may have another name, or be
// a program that contains Node. So it always imports from the host.
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <delayimp.h>
#include <string.h>

static FARPROC WINAPI OnDelayLoad(unsigned event, PDelayLoadInfo info) {
  if (event != dliNotePreLoadLibrary ||
      _stricmp(info->szDll, "node.exe") != 0) {
    return nullptr;
  }
  return reinterpret_cast<FARPROC>(GetModuleHandleW(nullptr));
}

PfnDliHook __pfnDliNotifyHook2 = OnDelayLoad;

// Node unloads an addon when the worker that loaded it ends, while the system
// may still call functions in it (on Linux: -z nodelete).
__attribute__((constructor)) static void StayLoaded() {
  HMODULE self;
  GetModuleHandleExW(
      GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
      reinterpret_cast<LPCWSTR>(&StayLoaded), &self);
}
