// The Node-API module. The calls (addon.h) convert arguments, keep one table
// and one mailbox per environment, and turn every outcome into a number.
#include "addon.h"

#include "process.h"

namespace holdfast {
namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  Environment* self = new Environment;
  self->env = env;
  napi_add_env_cleanup_hook(env, Environment::End, self);
  AtQuickExit(Table::AbandonAll);
  ExportEntryCalls(exports, self);
  ExportTakeCalls(exports, self);
  ExportLockCalls(exports, self);
  ExportRecordCalls(exports, self);
  ExportFolderCalls(exports, self);
  ExportProcessCalls(exports, self);
  ExportLookCalls(exports, self);
  return exports;
}

}  // namespace

napi_value Invoke(napi_env env, napi_callback_info info, Call call) {
  return call(Napi::CallbackInfo(env, info));
}

void ExportFunction(Napi::Object exports, const char* name,
                    napi_callback function, Environment* self) {
  napi_value made;
  if (napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, function,
                           self, &made) == napi_ok) {
    napi_set_named_property(exports.Env(), exports, name, made);
  }
}

}  // namespace holdfast

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  return holdfast::Initialize(env, exports);
}
NODE_API_MODULE(holdfast, Init)
