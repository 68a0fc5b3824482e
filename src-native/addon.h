// The calls that JavaScript sees, in groups, one file each. What their results
// mean stands in src/native/binding.ts, which is the only caller.
#ifndef HOLDFAST_ADDON_H_
#define HOLDFAST_ADDON_H_

#include <napi.h>

#include "environment.h"

namespace holdfast {

using Call = Napi::Value (*)(const Napi::CallbackInfo&);

// What all exported functions have in common. These two are not inline, for the
// reason in arguments.h.
napi_value Invoke(napi_env env, napi_callback_info info, Call call);
void ExportFunction(Napi::Object exports, const char* name,
                    napi_callback function, Environment* self);

template <Call call>
napi_value Invoke(napi_env env, napi_callback_info info) {
  return Invoke(env, info, call);
}

template <Call call>
void Export(Napi::Object exports, const char* name, Environment* self) {
  ExportFunction(exports, name, Invoke<call>, self);
}

// Opening files, and what is known about them.
void ExportEntryCalls(Napi::Object exports, Environment* self);
// Taking a free lock in one call, and releasing it.
void ExportTakeCalls(Napi::Object exports, Environment* self);
// For a wait that has settled: the status of `begin`, or kNotBegun.
int BeginSettled(void* environment, napi_env env, uint64_t id);
// The steps one by one, waiting, and the other ways to end.
void ExportLockCalls(Napi::Object exports, Environment* self);
// The record in the file.
void ExportRecordCalls(Napi::Object exports, Environment* self);
// Reading many files.
void ExportFolderCalls(Napi::Object exports, Environment* self);
// Other processes, and running a command.
void ExportProcessCalls(Napi::Object exports, Environment* self);
// What /proc says, on Linux.
void ExportLookCalls(Napi::Object exports, Environment* self);

}  // namespace holdfast

#endif  // HOLDFAST_ADDON_H_
