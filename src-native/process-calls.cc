// Other processes, and running a command.
#include <errno.h>

#include "addon.h"
#include "arguments.h"
#include "buffer.h"
#include "file.h"
#include "process.h"
#include "program.h"

namespace holdfast {
namespace {

Napi::Value OpenProcessHandle(const Napi::CallbackInfo& info) {
  int process;
  const int error = OpenProcess(IntAt(info, 0), &process);
  return Number(info, error != 0 ? -error : process);
}

Napi::Value SignalProcessHandle(const Napi::CallbackInfo& info) {
  return Number(info, SignalProcess(IntAt(info, 0), IntAt(info, 1)));
}

Napi::Value CloseProcessHandle(const Napi::CallbackInfo& info) {
  CloseDescriptor(IntAt(info, 0));
  return Undefined(info);
}

// Fills in the pid and the user; returns an errno.
Napi::Value PeerOfSocket(const Napi::CallbackInfo& info) {
  double* results = Self(info)->results;
  if (results == nullptr) return Number(info, ENOMEM);
  Peer peer;
  const int error = PeerOf(IntAt(info, 0), &peer);
  if (error == 0) {
    results[kPeerPid] = peer.pid;
    results[kPeerUser] = peer.user;
  }
  return Number(info, error);
}

bool ReadWords(const Napi::Value& list, Words* words) {
  const Napi::Array array = list.As<Napi::Array>();
  const uint32_t count = LengthOf(array);
  Buffer word;
  for (uint32_t index = 0; index < count; index++) {
    if (!BytesOf(list.Env(), Element(array, index), &word) ||
        !words->Add(word.data(), word.size())) {
      return false;
    }
  }
  return true;
}

SignalSet ReadSignals(const Napi::Value& list) {
  const Napi::Array array = list.As<Napi::Array>();
  const uint32_t count = LengthOf(array);
  SignalSet signals = 0;
  for (uint32_t index = 0; index < count; index++) {
    signals |= SignalSet{1} << (IntOf(Element(array, index)) - 1);
  }
  return signals;
}

// An errno. `kept` owns what the program points to.
int ReadProgram(const Napi::Object& object, Program* program, Buffer* kept) {
  const auto value = [&](const char* name) { return Member(object, name); };
  if (!ReadWords(value("arguments"), &program->arguments) ||
      !ReadWords(value("added"), &program->added) ||
      program->arguments.size() == 0) {
    return EINVAL;
  }
  const Napi::Array descriptors = value("kept").As<Napi::Array>();
  const uint32_t count = LengthOf(descriptors);
  if (!kept->Allocate(count * sizeof(int))) return ENOMEM;
  int* numbers = reinterpret_cast<int*>(kept->data());
  for (uint32_t index = 0; index < count; index++) {
    numbers[index] = IntOf(Element(descriptors, index));
  }
  program->kept = numbers;
  program->kept_count = count;
  program->lock = IntOf(value("lock"));
  program->lock_number = IntOf(value("lockNumber"));
  program->ignored = ReadSignals(value("ignored"));
  program->blocked = ReadSignals(value("blocked"));
  program->most_files = Int64Of(value("mostFiles"));
  program->blocking_streams =
      static_cast<unsigned>(IntOf(value("blockingStreams")));
  program->end_with_parent = value("endWithParent").As<Napi::Boolean>().Value();
  return 0;
}

Napi::Value Execute(const Napi::CallbackInfo& info) {
  Program program;
  Buffer kept;
  int error = ReadProgram(info[0].As<Napi::Object>(), &program, &kept);
  if (error == 0) error = ExecuteInPlace(&program);
  return Number(info, error);
}

// Runs on the thread that waits for the child.
void ReportChild(Child*, void* context) {
  RunningChild* running = static_cast<RunningChild*>(context);
  napi_call_threadsafe_function(running->function, running,
                                napi_tsfn_nonblocking);
}

void DeliverChild(napi_env env, napi_value callback, void*, void* data) {
  // Without an environment Node only empties the queue; the child has been
  // abandoned.
  if (env == nullptr || callback == nullptr) return;
  RunningChild* running = static_cast<RunningChild*>(data);
  const Child::End end = running->child->Reap();
  running->environment->Remove(running);
  napi_release_threadsafe_function(running->function, napi_tsfn_release);
  delete running;
  napi_value receiver;
  napi_value arguments[2];
  if (napi_get_undefined(env, &receiver) != napi_ok ||
      napi_get_boolean(env, end.exited, &arguments[0]) != napi_ok ||
      napi_create_int32(env, end.status, &arguments[1]) != napi_ok) {
    return;
  }
  napi_call_function(env, receiver, callback, 2, arguments, nullptr);
}

Napi::Value Spawn(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  Program program;
  Buffer kept;
  int error = ReadProgram(info[0].As<Napi::Object>(), &program, &kept);
  if (error != 0) return Number(info, -error);
  RunningChild* running = new RunningChild;
  running->environment = self;
  napi_value name;
  if (napi_create_string_latin1(info.Env(), "holdfast", NAPI_AUTO_LENGTH,
                                &name) != napi_ok ||
      napi_create_threadsafe_function(info.Env(), info[1], nullptr, name, 0, 1,
                                      nullptr, nullptr, nullptr, DeliverChild,
                                      &running->function) != napi_ok) {
    delete running;
    return Number(info, -ENOMEM);
  }
  error = Child::Start(&program, ReportChild, running, &running->child);
  if (error != 0) {
    napi_release_threadsafe_function(running->function, napi_tsfn_release);
    delete running;
    return Number(info, -error);
  }
  running->next = self->children;
  self->children = running;
  self->EndFirst();
  return Number(info, running->child->pid());
}

}  // namespace

void ExportProcessCalls(Napi::Object exports, Environment* self) {
  Export<OpenProcessHandle>(exports, "openProcess", self);
  Export<SignalProcessHandle>(exports, "signalProcess", self);
  Export<CloseProcessHandle>(exports, "closeProcess", self);
  Export<PeerOfSocket>(exports, "peer", self);
  Export<Execute>(exports, "execute", self);
  Export<Spawn>(exports, "spawn", self);
}

}  // namespace holdfast
