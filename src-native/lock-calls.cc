// The steps of taking a lock one by one, waiting for it, and ways to end it.
#include <errno.h>

#include "addon.h"
#include "arguments.h"
#include "file.h"
#include "platform.h"
#include "wait.h"

namespace holdfast {
namespace {

// How long a blocking wait, once cancelled, waits for its descriptor to close.
constexpr int kCancelMilliseconds = 20;

int TryLockEntry(Entry* entry, Mode mode) {
  const int operation = mode == Mode::kExclusive ? LOCK_EX
                        : mode == Mode::kShared  ? LOCK_SH
                                                 : LOCK_UN;
  const int error = ConvertFlock(entry->fd, entry->held == Mode::kExclusive,
                                 operation | LOCK_NB);
  // On Linux a refused conversion loses the lock that was held: flock(2). BSD
  // and macOS keep it, and there two holders that want to upgrade would wait
  // for each other. So it is given up everywhere.
  if (error != 0 && entry->held != Mode::kUnlocked) Flock(entry->fd, LOCK_UN);
  entry->held = error == 0 ? mode : Mode::kUnlocked;
  return error;
}

Napi::Value TryLock(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, EBADF);
  return Number(info, TryLockEntry(entry, ModeAt(info, 1)));
}

Napi::Value BlockedByItself(const Napi::CallbackInfo& info) {
  const Entry* entry = EntryAt(info);
  const bool exclusive = ModeAt(info, 1) == Mode::kExclusive;
  return Bool(info, entry != nullptr &&
                        Self(info)->table.BlockedByItself(*entry, exclusive));
}

int StartWait(Environment* self, Entry* entry, Mode mode, bool single_attempt,
              bool post) {
  int operation = mode == Mode::kExclusive ? LOCK_EX : LOCK_SH;
  if (single_attempt) operation |= LOCK_NB;
  return Wait::Start(entry->fd, operation, entry->id, post, self->mailbox,
                     &entry->wait);
}

Napi::Value OnSettled(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  const bool opened =
      self->mailbox->IsOpen() ||
      self->mailbox->Open(info.Env(), info[0], BeginSettled, self);
  self->EndFirst();
  return Bool(info, opened);
}

Napi::Value StartWaiting(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  Entry* entry = EntryAt(info);
  if (entry == nullptr || entry->wait != nullptr) return Number(info, EBADF);
  if (!self->mailbox->IsOpen()) return Number(info, ENOSYS);
  const int error =
      StartWait(self, entry, ModeAt(info, 1), BoolAt(info, 2), true);
  if (error == 0) self->mailbox->CountPending(info.Env(), 1);
  return Number(info, error);
}

// JavaScript calls this when the callback of onSettled has named the entry.
Napi::Value FinishWaiting(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr || entry->wait == nullptr) return Number(info, EBADF);
  Self(info)->mailbox->CountPending(info.Env(), -1);
  return Number(info, CollectWait(entry, ModeAt(info, 1)));
}

// -1: not settled within the time, call again.
Napi::Value WaitHere(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, EBADF);
  const Mode mode = ModeAt(info, 1);
  if (entry->wait == nullptr) {
    const int error = StartWait(self, entry, mode, BoolAt(info, 2), false);
    if (error != 0) return Number(info, error);
  }
  if (!entry->wait->AwaitSettled(IntAt(info, 3))) return Number(info, -1);
  return Number(info, CollectWait(entry, mode));
}

// Ends the entry and its wait, whose end JavaScript has not heard of. True:
// the callback of onSettled will run once the descriptor is closed.
Napi::Value CancelWaiting(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Bool(info, false);
  const bool posts = entry->wait != nullptr && entry->wait->posts();
  const bool ending = self->table.CancelWait(entry);
  if (ending && !posts) self->mailbox->AwaitClosed(kCancelMilliseconds);
  if (posts && !ending) self->mailbox->CountPending(info.Env(), -1);
  return Bool(info, ending && posts);
}

Napi::Value RemoveAtEnd(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry != nullptr) entry->remove_at_end = true;
  return Undefined(info);
}

Napi::Value Relinquish(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry != nullptr) Self(info)->table.Drop(entry);
  return Undefined(info);
}

Napi::Value Detach(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry != nullptr) Self(info)->table.Detach(entry);
  return Undefined(info);
}

}  // namespace

void ExportLockCalls(Napi::Object exports, Environment* self) {
  Export<TryLock>(exports, "tryLock", self);
  Export<BlockedByItself>(exports, "blockedByItself", self);
  Export<OnSettled>(exports, "onSettled", self);
  Export<StartWaiting>(exports, "startWaiting", self);
  Export<FinishWaiting>(exports, "finishWaiting", self);
  Export<WaitHere>(exports, "waitHere", self);
  Export<CancelWaiting>(exports, "cancelWaiting", self);
  Export<RemoveAtEnd>(exports, "removeAtEnd", self);
  Export<Relinquish>(exports, "relinquish", self);
  Export<Detach>(exports, "detach", self);
}

}  // namespace holdfast
