// How the addon is loaded, and that it stays.
//
// It asks for `node.exe`, but its host may have been renamed, or be a program
// that Node is built into: then it is the host itself that is meant.
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

// Node unloads an addon when the worker that loaded it ends; what is still to
// be called in it then is not worth finding out (on Linux: -z nodelete).
__attribute__((constructor)) static void StayLoaded() {
  HMODULE self;
  GetModuleHandleExW(
      GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
      reinterpret_cast<LPCWSTR>(&StayLoaded), &self);
}
