// The Node-API face: converts arguments, keeps one table and one mailbox per
// environment, and turns every outcome into a number. What the numbers mean
// stands in src/native/binding.ts, which is the only caller.
#include <errno.h>
#include <napi.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "file.h"
#include "memory.h"
#include "platform.h"
#include "process.h"
#include "program.h"
#include "table.h"
#include "wait.h"

namespace holdfast {
namespace {

constexpr int kCancelMilliseconds = 20;

Environment* Self(const Napi::CallbackInfo& info) {
  return static_cast<Environment*>(info.Data());
}

Napi::Value Number(const Napi::CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}

uint64_t IdAt(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<uint64_t>(info[index].As<Napi::Number>().Int64Value());
}

int IntAt(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Int32Value();
}

Entry* EntryAt(const Napi::CallbackInfo& info) {
  return Self(info)->table.Find(IdAt(info, 0));
}

bool BufferAt(napi_env env, napi_value value, Buffer* text) {
  bool is_buffer = false;
  void* bytes;
  size_t size;
  if (napi_is_buffer(env, value, &is_buffer) != napi_ok || !is_buffer ||
      napi_get_buffer_info(env, value, &bytes, &size) != napi_ok ||
      !text->Allocate(size)) {
    return false;
  }
  if (size > 0) memcpy(text->data(), bytes, size);
  return true;
}

// A string as UTF-8, or a Buffer as it is: the names of files and the words of
// a command need not be UTF-8.
bool BytesOf(napi_env env, napi_value value, Buffer* text) {
  // Most are short: one call then both measures and copies.
  constexpr size_t kGuess = 512;
  size_t length;
  if (!text->Allocate(kGuess)) return false;
  const napi_status status =
      napi_get_value_string_utf8(env, value, text->data(), kGuess + 1, &length);
  if (status == napi_string_expected) return BufferAt(env, value, text);
  if (status != napi_ok) return false;
  if (length + 4 > kGuess) {
    if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) !=
            napi_ok ||
        !text->Allocate(length) ||
        napi_get_value_string_utf8(env, value, text->data(), length + 1,
                                   &length) != napi_ok) {
      return false;
    }
  }
  text->Truncate(length);
  return true;
}

bool TextAt(const Napi::CallbackInfo& info, size_t index, Buffer* text) {
  return BytesOf(info.Env(), info[index], text);
}

Napi::Value Add(const Napi::CallbackInfo& info, Entry* entry) {
  Environment* self = Self(info);
  entry->remote = self->Remote(entry->fd, entry->file);
  if (self->table.Add(entry) == 0) {
    CloseDescriptor(entry->fd);
    delete entry;
    return Number(info, -ENFILE);
  }
  return Number(info, static_cast<double>(entry->id));
}

Napi::Value Open(const Napi::CallbackInfo& info) {
  Entry* entry = new Entry;
  OpenedFile opened;
  int error = EINVAL;
  if (TextAt(info, 0, &entry->path)) {
    error = OpenLockFile(entry->path.data(), IntAt(info, 1), &opened);
  }
  if (error != 0) {
    delete entry;
    return Number(info, -error);
  }
  entry->fd = opened.fd;
  entry->read_only = opened.read_only;
  entry->file = opened.state;
  return Add(info, entry);
}

// Takes a descriptor that was not opened here into the table.
Napi::Value AddForeign(const Napi::CallbackInfo& info, int fd, Held held) {
  Entry* entry = new Entry;
  entry->fd = fd;
  entry->held = held;
  int error = TextAt(info, 1, &entry->path) ? 0 : EINVAL;
  bool writable = false;
  if (error == 0) error = IsWritable(fd, &writable);
  if (error == 0) error = StateOfDescriptor(fd, &entry->file);
  if (error == 0 && entry->file.kind == Kind::kOther) error = ENXIO;
  if (error == 0) error = SetCloseOnExec(fd, true);
  if (error != 0) {
    delete entry;
    return Number(info, -error);
  }
  entry->read_only = !writable;
  return Add(info, entry);
}

Napi::Value Adopt(const Napi::CallbackInfo& info) {
  return AddForeign(info, IntAt(info, 0), static_cast<Held>(IntAt(info, 2)));
}

Napi::Value Borrow(const Napi::CallbackInfo& info) {
  int duplicate;
  const int error = Duplicate(IntAt(info, 0), &duplicate);
  if (error != 0) return Number(info, -error);
  const Napi::Value id = AddForeign(info, duplicate, Held::kNot);
  if (id.As<Napi::Number>().DoubleValue() < 0) CloseDescriptor(duplicate);
  return id;
}

Napi::Value Owns(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(),
                            kHasDescriptors && Table::Owns(IntAt(info, 0)));
}

Napi::Value Traits(const Napi::CallbackInfo& info) {
  const Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, 0);
  return Number(info, (entry->file.kind == Kind::kDirectory ? 1 : 0) |
                          (entry->read_only ? 2 : 0) | (entry->remote ? 4 : 0));
}

Napi::Value Descriptor(const Napi::CallbackInfo& info) {
  const Entry* entry = EntryAt(info);
  return Number(info, entry == nullptr || !kHasDescriptors ? -1 : entry->fd);
}

Napi::Value Owner(const Napi::CallbackInfo& info) {
  const Entry* entry = EntryAt(info);
  return Number(info, entry == nullptr ? 0 : entry->file.owner);
}

int TryLockEntry(Entry* entry, Held mode) {
  const int operation = mode == Held::kExclusive ? LOCK_EX
                        : mode == Held::kShared  ? LOCK_SH
                                                 : LOCK_UN;
  const int error = ConvertFlock(entry->fd, entry->held == Held::kExclusive,
                                 operation | LOCK_NB);
  // A refused conversion loses the lock that was held: flock(2). Not on BSD
  // and macOS, where two that want to upgrade would wait for each other.
  if (error != 0 && entry->held != Held::kNot) Flock(entry->fd, LOCK_UN);
  entry->held = error == 0 ? mode : Held::kNot;
  return error;
}

Napi::Value TryLock(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, EBADF);
  return Number(info, TryLockEntry(entry, static_cast<Held>(IntAt(info, 1))));
}

Napi::Value Compare(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, -EBADF);
  FileState at_path;
  const int error = StateOfPath(entry->path.data(), &at_path);
  if (error == ENOENT || error == ENOTDIR) return Number(info, -ESTALE);
  if (error != 0) return Number(info, -error);
  if (!at_path.SameFile(entry->file)) return Number(info, -ESTALE);
  entry->file.size = at_path.size;
  return Number(info, static_cast<double>(at_path.size));
}

Napi::Value SameFile(const Napi::CallbackInfo& info) {
  const Entry* left = EntryAt(info);
  const Entry* right = Self(info)->table.Find(IdAt(info, 1));
  return Napi::Boolean::New(info.Env(), left != nullptr && right != nullptr &&
                                            left->file.SameFile(right->file));
}

Napi::Value Read(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, -EBADF);
  Buffer content;
  size_t length;
  const size_t size = static_cast<size_t>(
      entry->file.size < kRecordLimit ? entry->file.size : kRecordLimit);
  if (!content.Allocate(size + 1)) return Number(info, -ENOMEM);
  int error = ReadContent(entry->fd, content.data(), size + 1, &length);
  if (error == 0 && length > size) {
    // It has grown since it was looked at.
    if (!content.Allocate(kRecordLimit + 1)) return Number(info, -ENOMEM);
    error = ReadContent(entry->fd, content.data(), kRecordLimit + 1, &length);
  }
  if (error != 0) return Number(info, -error);
  entry->content = HashOf(content.data(), length);
  napi_value text;
  if (napi_create_string_utf8(info.Env(), content.data(), length, &text) !=
      napi_ok) {
    return Number(info, -ENOMEM);
  }
  return Napi::Value(info.Env(), text);
}

Napi::Value Write(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  Buffer text;
  Buffer left;
  if (entry == nullptr) return Number(info, EBADF);
  if (!TextAt(info, 1, &text) || !TextAt(info, 2, &left)) {
    return Number(info, EINVAL);
  }
  return Number(info, Self(info)->table.WriteRecord(
                          entry, text.data(), text.size(), left.data(),
                          left.size(), info[3].As<Napi::Boolean>().Value()));
}

Napi::Value Clear(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, EBADF);
  return Number(info, Self(info)->table.ClearRecord(entry));
}

Napi::Value RemoveAtEnd(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry != nullptr) entry->remove_at_end = true;
  return info.Env().Undefined();
}

Napi::Value Release(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, 0);
  const Failure failure = Self(info)->table.Release(entry);
  return Number(info, failure.step * 4096 + failure.error);
}

Napi::Value Forget(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry != nullptr) Self(info)->table.Drop(entry);
  return info.Env().Undefined();
}

Napi::Value Detach(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry != nullptr) Self(info)->table.Detach(entry);
  return info.Env().Undefined();
}

Napi::Value BlockedByItself(const Napi::CallbackInfo& info) {
  const Entry* entry = EntryAt(info);
  const bool exclusive = static_cast<Held>(IntAt(info, 1)) == Held::kExclusive;
  return Napi::Boolean::New(
      info.Env(),
      entry != nullptr && Self(info)->table.BlockedByItself(*entry, exclusive));
}

int StartWait(Environment* self, Entry* entry, Held mode, bool single_attempt,
              bool post) {
  int operation = mode == Held::kExclusive ? LOCK_EX : LOCK_SH;
  if (single_attempt) operation |= LOCK_NB;
  return Wait::Start(entry->fd, operation, entry->id, post, self->loop,
                     &entry->wait);
}

// Ends the bookkeeping of a settled wait and returns its result.
int Collect(Entry* entry, Held mode) {
  const int result = entry->wait->result();
  entry->wait->Unreference();
  entry->wait = nullptr;
  entry->held = result == 0 ? mode : Held::kNot;
  return result;
}

Napi::Value OnSettled(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  const bool opened =
      self->loop->IsOpen() || self->loop->Open(info.Env(), info[0]);
  self->EndFirst();
  return Napi::Boolean::New(info.Env(), opened);
}

Napi::Value StartWaiting(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  Entry* entry = EntryAt(info);
  if (entry == nullptr || entry->wait != nullptr) return Number(info, EBADF);
  if (!self->loop->IsOpen()) return Number(info, ENOSYS);
  const int error = StartWait(self, entry, static_cast<Held>(IntAt(info, 1)),
                              info[2].As<Napi::Boolean>().Value(), true);
  if (error == 0) self->loop->CountPending(info.Env(), 1);
  return Number(info, error);
}

// Called by JavaScript when it has heard that the wait settled.
Napi::Value FinishWaiting(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr || entry->wait == nullptr) return Number(info, EBADF);
  Self(info)->loop->CountPending(info.Env(), -1);
  return Number(info, Collect(entry, static_cast<Held>(IntAt(info, 1))));
}

// -1: not settled within the time; to be called again.
Napi::Value WaitHere(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, EBADF);
  const Held mode = static_cast<Held>(IntAt(info, 1));
  if (entry->wait == nullptr) {
    const int error = StartWait(self, entry, mode,
                                info[2].As<Napi::Boolean>().Value(), false);
    if (error != 0) return Number(info, error);
  }
  if (!entry->wait->AwaitSettled(IntAt(info, 3))) return Number(info, -1);
  return Number(info, Collect(entry, mode));
}

// Ends a wait that JavaScript has not heard the end of, and the entry. True:
// JavaScript will hear once the descriptor is closed.
Napi::Value CancelWaiting(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Napi::Boolean::New(info.Env(), false);
  const bool posts = entry->wait != nullptr && entry->wait->posts();
  const bool ending = self->table.CancelWait(entry);
  if (ending && !posts) self->loop->AwaitClosed(kCancelMilliseconds);
  if (posts && !ending) self->loop->CountPending(info.Env(), -1);
  return Napi::Boolean::New(info.Env(), ending && posts);
}

// Steals: puts a new, locked file in the place of an opened one.
Napi::Value Replace(const Napi::CallbackInfo& info) {
  const Entry* old = EntryAt(info);
  Buffer temporary;
  Buffer text;
  if (old == nullptr || !TextAt(info, 1, &temporary) ||
      !TextAt(info, 3, &text)) {
    return Number(info, -EBADF);
  }
  // Where flock and the guard's lock share a table there is no way to do it.
  if (old->remote) return Number(info, -ENOTSUP);
  Entry* entry = new Entry;
  OpenedFile opened;
  int error = entry->path.Allocate(old->path.size()) ? 0 : ENOMEM;
  if (error == 0) {
    memcpy(entry->path.data(), old->path.data(), old->path.size());
    error = ReplaceLocked(entry->path.data(), temporary.data(), IntAt(info, 2),
                          text.data(), text.size(), old->file, &opened);
  }
  if (error != 0) {
    delete entry;
    return Number(info, -error);
  }
  entry->fd = opened.fd;
  entry->file = opened.state;
  entry->content = HashOf(text.data(), text.size());
  entry->held = Held::kExclusive;
  return Add(info, entry);
}

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
  return info.Env().Undefined();
}

Napi::Value Remote(const Napi::CallbackInfo& info) {
  Buffer path;
  bool remote = false;
  if (!TextAt(info, 0, &path)) return Number(info, -EINVAL);
  const int error = IsRemotePath(path.data(), &remote);
  return Number(info, error != 0 ? -error : remote ? 1 : 0);
}

bool ReadWords(const Napi::Value& list, Words* words) {
  const Napi::Array array = list.As<Napi::Array>();
  const uint32_t count = array.Length();
  Buffer word;
  for (uint32_t index = 0; index < count; index++) {
    if (!BytesOf(list.Env(), array.Get(index), &word) ||
        !words->Add(word.data(), word.size())) {
      return false;
    }
  }
  return true;
}

SignalSet ReadSignals(const Napi::Value& list) {
  const Napi::Array array = list.As<Napi::Array>();
  const uint32_t count = array.Length();
  SignalSet signals = 0;
  for (uint32_t index = 0; index < count; index++) {
    const Napi::Value number = array.Get(index);
    signals |= SignalSet{1} << (number.As<Napi::Number>().Int32Value() - 1);
  }
  return signals;
}

// An errno. `kept` owns what the program points to.
int ReadProgram(const Napi::Object& object, Program* program, Buffer* kept) {
  const auto value = [&](const char* name) -> Napi::Value {
    return object.Get(name);
  };
  const auto number = [&](const char* name) {
    return value(name).As<Napi::Number>();
  };
  if (!ReadWords(value("arguments"), &program->arguments) ||
      !ReadWords(value("added"), &program->added) ||
      program->arguments.size() == 0) {
    return EINVAL;
  }
  const Napi::Array descriptors = value("kept").As<Napi::Array>();
  const uint32_t count = descriptors.Length();
  if (!kept->Allocate(count * sizeof(int))) return ENOMEM;
  int* numbers = reinterpret_cast<int*>(kept->data());
  for (uint32_t index = 0; index < count; index++) {
    const Napi::Value descriptor = descriptors.Get(index);
    numbers[index] = descriptor.As<Napi::Number>().Int32Value();
  }
  program->kept = numbers;
  program->kept_count = count;
  program->lock = number("lock").Int32Value();
  program->lock_number = number("lockNumber").Int32Value();
  program->ignored = ReadSignals(value("ignored"));
  program->blocked = ReadSignals(value("blocked"));
  program->most_files = number("mostFiles").Int64Value();
  program->blocking_streams = number("blockingStreams").Uint32Value();
  return 0;
}

Napi::Value Execute(const Napi::CallbackInfo& info) {
  Program program;
  Buffer kept;
  int error = ReadProgram(info[0].As<Napi::Object>(), &program, &kept);
  if (error == 0) error = ExecuteInPlace(&program);
  return Number(info, error);
}

// On the thread that waits for the child.
void ReportChild(Child*, void* context) {
  RunningChild* running = static_cast<RunningChild*>(context);
  napi_call_threadsafe_function(running->function, running,
                                napi_tsfn_nonblocking);
}

void DeliverChild(napi_env env, napi_value callback, void*, void* data) {
  // Without an environment the queue is only being emptied, and the child was
  // abandoned.
  if (env == nullptr || callback == nullptr) return;
  RunningChild* running = static_cast<RunningChild*>(data);
  const Child::End end = running->child->Reap();
  running->environment->Forget(running);
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

template <Napi::Value (*call)(const Napi::CallbackInfo&)>
void Export(Napi::Object exports, const char* name, Environment* self) {
  exports.Set(name, Napi::Function::New<call>(exports.Env(), name, self));
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  Environment* self = new Environment;
  self->env = env;
  napi_add_env_cleanup_hook(env, Environment::End, self);
  AtQuickExit(Table::AbandonAll);
  Export<Open>(exports, "open", self);
  Export<Adopt>(exports, "adopt", self);
  Export<Borrow>(exports, "borrow", self);
  Export<Owns>(exports, "owns", self);
  Export<Traits>(exports, "traits", self);
  Export<Descriptor>(exports, "descriptor", self);
  Export<Owner>(exports, "owner", self);
  Export<TryLock>(exports, "tryLock", self);
  Export<Compare>(exports, "compare", self);
  Export<SameFile>(exports, "sameFile", self);
  Export<Read>(exports, "read", self);
  Export<Write>(exports, "write", self);
  Export<Clear>(exports, "clear", self);
  Export<RemoveAtEnd>(exports, "removeAtEnd", self);
  Export<Release>(exports, "release", self);
  Export<Forget>(exports, "forget", self);
  Export<Detach>(exports, "detach", self);
  Export<BlockedByItself>(exports, "blockedByItself", self);
  Export<OnSettled>(exports, "onSettled", self);
  Export<StartWaiting>(exports, "startWaiting", self);
  Export<FinishWaiting>(exports, "finishWaiting", self);
  Export<WaitHere>(exports, "waitHere", self);
  Export<CancelWaiting>(exports, "cancelWaiting", self);
  Export<Replace>(exports, "replace", self);
  Export<OpenProcessHandle>(exports, "openProcess", self);
  Export<SignalProcessHandle>(exports, "signalProcess", self);
  Export<CloseProcessHandle>(exports, "closeProcess", self);
  Export<Remote>(exports, "remote", self);
  Export<Execute>(exports, "execute", self);
  Export<Spawn>(exports, "spawn", self);
  return exports;
}

}  // namespace
}  // namespace holdfast

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  return holdfast::Initialize(env, exports);
}
NODE_API_MODULE(holdfast, Init)
