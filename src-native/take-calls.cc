// Taking a lock, from opening the file to the record in it, in one call. Nearly
// every acquire finds the lock free and nothing in the file but what a release
// left, and is done here. All other cases go back to TypeScript with a status
// that says how far this has come: src/lock/hold.ts goes on from there.
//
// These calls use Node-API itself: napi.h would cost as much as a system call.
#include <errno.h>

#include "addon.h"
#include "arguments.h"
#include "file.h"
#include "platform.h"
#include "record-text.h"

namespace holdfast {
namespace {

// As in src/native/binding.ts.
enum Status : int {
  kTaken,   // held, at the path, and recorded as far as that was wanted
  kOpened,  // remote: even an attempt may hang, so none was made
  kRefused,
  kReplaced,  // the path leads elsewhere; the entry has ended
  kContent,   // held and at the path; the rest is for TypeScript
};
// From here on: the step that failed, times 4096, plus the errno.
enum Step : int { kFlock = 1, kStat, kRead, kWrite };

int Failed(Step step, int error) { return step * 4096 + error; }

// What is wanted, in one number. The lowest two bits are the mode.
enum Wish : int {
  kMode = 3,
  kJson = 4,
  kPid = 8,
  kRecord = kJson | kPid,
  kRemove = 16,
  kMember = 32,
  // The fields of the record are not for the owner of the file to read.
  kPrivate = 64,
};

int Replaced(Environment* self, Entry* entry) {
  self->table.Release(entry);
  return kReplaced;
}

// Reads the content and keeps it for Read(). EAGAIN: it has grown since its
// size was read.
int ReadWhole(Environment* self, Entry* entry) {
  const size_t size = static_cast<size_t>(entry->file.size);
  size_t length;
  if (!self->content.Allocate(size + 1)) return ENOMEM;
  const int error =
      ReadContent(entry->fd, self->content.data(), size + 1, &length);
  if (error != 0) return error;
  if (length > size) return EAGAIN;
  self->content.Truncate(length);
  self->content_of = entry->id;
  entry->content = HashOf(self->content.data(), length);
  return 0;
}

int WriteRecord(Environment* self, Entry* entry, const RecordFields& fields) {
  RecordText* record = &self->record_text;
  if (!record->Write(fields)) return ENOMEM;
  return self->table.WriteRecord(entry, record->text().data(),
                                 record->text().size(), record->left().data(),
                                 record->left().size(), false);
}

// The lock is granted: compares path and descriptor, and writes the record. The
// order is that of src/lock/hold.ts, which says why.
int Begin(Environment* self, Entry* entry, int wish, const Buffer& data) {
  double* results = self->results;
  self->content_of = 0;
  int error = CompareEntry(entry);
  if (error == ESTALE) return Replaced(self, entry);
  if (error != 0) return Failed(kStat, error);
  const bool shared = (wish & kMode) == static_cast<int>(Mode::kShared);
  const bool removes = (wish & kRemove) != 0 && !entry->read_only;
  const uint64_t size = entry->file.size;
  results[kSize] = static_cast<double>(size);
  results[kSince] = 0;
  if (entry->file.kind == Kind::kDirectory) return kContent;
  uint64_t token = 0;
  if ((wish & kRecord) == 0) {
    if (removes && size == 0) entry->remove_at_end = true;
  } else if (size > kRecordLimit) {
    return kContent;
  } else if (size > 0) {
    error = ReadWhole(self, entry);
    if (error == EAGAIN) return kContent;
    if (error != 0) return Failed(kRead, error);
    if (!ReadLeftover(self->content.data(), self->content.size(), &token)) {
      return kContent;
    }
    self->content_of = 0;
  }
  if (shared) {
    if ((wish & kRecord) != 0 && removes) entry->remove_at_end = true;
    results[kToken] = static_cast<double>(token);
    return kTaken;
  }
  const uint64_t now = WallClockMicroseconds();
  token = token + 1 > now ? token + 1 : now;
  results[kToken] = static_cast<double>(token);
  if ((wish & kRecord) == 0 || entry->read_only) return kTaken;
  const uint32_t owner = entry->file.owner;
  if ((wish & kPrivate) != 0 && owner != 0 && owner != OwnUser()) {
    // TypeScript refuses it, with a message.
    self->content_of = 0;
    return kContent;
  }
  const uint64_t since = now / 1000;
  results[kSince] = static_cast<double>(since);
  error = WriteRecord(self, entry,
                      {(wish & kJson) != 0, (wish & kMember) != 0, token, since,
                       data.data(), data.size()});
  if (error != 0) return Failed(kWrite, error);
  if (removes) entry->remove_at_end = true;
  error = CompareEntry(entry);
  if (error == ESTALE) return Replaced(self, entry);
  return error != 0 ? Failed(kStat, error) : kTaken;
}

int TakeEntry(Environment* self, Entry* entry, int wish, const Buffer& data) {
  if (entry->remote) return kOpened;
  const bool exclusive = (wish & kMode) == static_cast<int>(Mode::kExclusive);
  const int error = Flock(entry->fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
  if (error == EWOULDBLOCK) return kRefused;
  if (error != 0) return Failed(kFlock, error);
  entry->held = exclusive ? Mode::kExclusive : Mode::kShared;
  return Begin(self, entry, wish, data);
}

// The arguments of a raw call: all are there, TypeScript passes them.
template <size_t size>
struct Arguments {
  napi_env env;
  Environment* self;
  napi_value values[size];

  Arguments(napi_env env, napi_callback_info info) : env(env) {
    size_t count = size;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
    self = static_cast<Environment*>(data);
  }
  int Int(size_t index) const {
    int32_t value = 0;
    napi_get_value_int32(env, values[index], &value);
    return value;
  }
  Entry* EntryAt(size_t index) const {
    int64_t id = 0;
    napi_get_value_int64(env, values[index], &id);
    return self->table.Find(static_cast<uint64_t>(id));
  }
  // The fields of the record; most calls have none.
  bool Data(size_t index, Buffer* data) const {
    napi_valuetype type;
    return napi_typeof(env, values[index], &type) == napi_ok &&
           (type != napi_string || BytesOf(env, values[index], data));
  }
  napi_value Answer(int status, const Entry* entry) const {
    if (entry != nullptr) {
      self->results[kId] = static_cast<double>(entry->id);
      self->results[kTraits] = TraitsOf(*entry);
    }
    return Answer(status);
  }
  napi_value Answer(int status) const {
    napi_value value = nullptr;
    napi_create_int32(env, status, &value);
    return value;
  }
};

// (path, permissions, wish, data)
napi_value Take(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Environment* self = arguments.self;
  Buffer data;
  Entry* entry = self->table.Fresh();
  int error = BytesOf(env, arguments.values[0], &entry->path) &&
                      arguments.Data(3, &data)
                  ? 0
                  : EINVAL;
  if (error == 0) error = self->Open(entry, arguments.Int(1));
  if (error != 0) {
    self->table.Recycle(entry);
    return arguments.Answer(-error);
  }
  const int status = TakeEntry(self, entry, arguments.Int(2), data);
  return arguments.Answer(status, status == kReplaced ? nullptr : entry);
}

// Takes in the wait of an entry, if it has one, and begins its hold.
int BeginEntry(Environment* self, napi_env env, Entry* entry, int wish,
               const Buffer& data) {
  if (entry->wait != nullptr) {
    self->mailbox->CountPending(env, -1);
    const int error = CollectWait(entry, static_cast<Mode>(wish & kMode));
    if (error != 0) return Failed(kFlock, error);
  }
  return Begin(self, entry, wish, data);
}

// (id, wish, data). Before a wait: its hold begins when it is granted, before
// JavaScript hears of that, which takes one call less while others wait.
napi_value BeginWhenGranted(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Entry* entry = arguments.EntryAt(0);
  if (entry != nullptr && arguments.Data(2, &entry->data)) {
    entry->wish = arguments.Int(1);
  }
  return nullptr;
}

// (id, wish, data). Takes in a wait that has settled.
napi_value BeginHold(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Buffer data;
  Entry* entry = arguments.EntryAt(0);
  if (entry == nullptr) return arguments.Answer(Failed(kFlock, EBADF));
  if (!arguments.Data(2, &data))
    return arguments.Answer(Failed(kWrite, ENOMEM));
  const int status =
      BeginEntry(arguments.self, env, entry, arguments.Int(1), data);
  return arguments.Answer(status, status == kReplaced ? nullptr : entry);
}

// (id)
napi_value Release(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Entry* entry = arguments.EntryAt(0);
  if (entry == nullptr) return arguments.Answer(0);
  const Failure failure = arguments.self->table.Release(entry);
  return arguments.Answer(failure.step * 4096 + failure.error);
}

Napi::Value Results(const Napi::CallbackInfo& info) {
  napi_value array = nullptr;
  napi_get_reference_value(info.Env(), Self(info)->results_reference, &array);
  return Napi::Value(info.Env(), array);
}

Napi::Value Identify(const Napi::CallbackInfo& info) {
  Buffer head;
  Buffer tail;
  return Bool(info, TextAt(info, 0, &head) && TextAt(info, 1, &tail) &&
                        Self(info)->record_text.Identify(head, tail));
}

bool MakeResults(napi_env env, Environment* self) {
  void* memory = nullptr;
  napi_value buffer;
  napi_value array;
  if (napi_create_arraybuffer(env, kResults * sizeof(double), &memory,
                              &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_float64_array, kResults, buffer, 0,
                             &array) != napi_ok ||
      napi_create_reference(env, array, 1, &self->results_reference) !=
          napi_ok) {
    return false;
  }
  self->results = static_cast<double*>(memory);
  return true;
}

}  // namespace

// JavaScript may have cancelled the wait meanwhile: then there is no entry.
int BeginSettled(void* environment, napi_env env, uint64_t id) {
  Environment* self = static_cast<Environment*>(environment);
  Entry* entry = self->table.Find(id);
  if (entry == nullptr || entry->wait == nullptr || entry->wish < 0) {
    return kNotBegun;
  }
  return BeginEntry(self, env, entry, entry->wish, entry->data);
}

void ExportTakeCalls(Napi::Object exports, Environment* self) {
  // Without the array, loading fails in TypeScript.
  if (!MakeResults(exports.Env(), self)) return;
  ExportFunction(exports, "take", Take, self);
  ExportFunction(exports, "begin", BeginHold, self);
  ExportFunction(exports, "beginWhenGranted", BeginWhenGranted, self);
  ExportFunction(exports, "release", Release, self);
  Export<Results>(exports, "results", self);
  Export<Identify>(exports, "identify", self);
}

}  // namespace holdfast
