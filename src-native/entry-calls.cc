// Opening files, and what is known about them.
#include <errno.h>
#include <string.h>

#include "addon.h"
#include "arguments.h"
#include "file.h"
#include "platform.h"

namespace holdfast {
namespace {

// Puts a new entry into the table and returns its id, or an error.
Napi::Value Add(const Napi::CallbackInfo& info, Entry* entry) {
  const int error = Self(info)->Add(entry);
  if (error == 0) return Number(info, static_cast<double>(entry->id));
  delete entry;
  return Number(info, -error);
}

Napi::Value Open(const Napi::CallbackInfo& info) {
  Environment* self = Self(info);
  Entry* entry = self->table.Fresh();
  int error = EINVAL;
  if (TextAt(info, 0, &entry->path)) error = self->Open(entry, IntAt(info, 1));
  if (error != 0) {
    self->table.Recycle(entry);
    return Number(info, -error);
  }
  return Number(info, static_cast<double>(entry->id));
}

// Puts a descriptor that was opened elsewhere into the table.
Napi::Value AddForeign(const Napi::CallbackInfo& info, int fd, Mode held) {
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
  return AddForeign(info, IntAt(info, 0), ModeAt(info, 2));
}

Napi::Value Borrow(const Napi::CallbackInfo& info) {
  int duplicate;
  const int error = Duplicate(IntAt(info, 0), &duplicate);
  if (error != 0) return Number(info, -error);
  const Napi::Value id = AddForeign(info, duplicate, Mode::kUnlocked);
  if (id.As<Napi::Number>().DoubleValue() < 0) CloseDescriptor(duplicate);
  return id;
}

// Steals a lock: puts a new, locked file in the place of the opened one.
Napi::Value Replace(const Napi::CallbackInfo& info) {
  const Entry* old = EntryAt(info);
  Buffer temporary;
  Buffer text;
  if (old == nullptr || !TextAt(info, 1, &temporary) ||
      !TextAt(info, 3, &text)) {
    return Number(info, -EBADF);
  }
  // On a network file system flock and the guard's lock (PathGuard) may share a
  // table, and then the lock itself keeps the guard out.
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
  entry->held = Mode::kExclusive;
  return Add(info, entry);
}

Napi::Value Owns(const Napi::CallbackInfo& info) {
  return Bool(info, kHasDescriptors && Table::Owns(IntAt(info, 0)));
}

Napi::Value Traits(const Napi::CallbackInfo& info) {
  const Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, 0);
  return Number(info, TraitsOf(*entry));
}

Napi::Value Descriptor(const Napi::CallbackInfo& info) {
  const Entry* entry = EntryAt(info);
  return Number(info, entry == nullptr || !kHasDescriptors ? -1 : entry->fd);
}

Napi::Value Owner(const Napi::CallbackInfo& info) {
  const Entry* entry = EntryAt(info);
  return Number(info, entry == nullptr ? 0 : entry->file.owner);
}

Napi::Value Compare(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, -EBADF);
  const int error = CompareEntry(entry);
  if (error != 0) return Number(info, -error);
  return Number(info, static_cast<double>(entry->file.size));
}

Napi::Value SameFile(const Napi::CallbackInfo& info) {
  const Entry* left = EntryAt(info);
  const Entry* right = Self(info)->table.Find(IdAt(info, 1));
  return Bool(info, left != nullptr && right != nullptr &&
                        left->file.SameFile(right->file));
}

Napi::Value Remote(const Napi::CallbackInfo& info) {
  Buffer path;
  bool remote = false;
  if (!TextAt(info, 0, &path)) return Number(info, -EINVAL);
  const int error = IsRemotePath(path.data(), &remote);
  return Number(info, error != 0 ? -error : remote ? 1 : 0);
}

}  // namespace

void ExportEntryCalls(Napi::Object exports, Environment* self) {
  Export<Open>(exports, "open", self);
  Export<Adopt>(exports, "adopt", self);
  Export<Borrow>(exports, "borrow", self);
  Export<Replace>(exports, "replace", self);
  Export<Owns>(exports, "owns", self);
  Export<Traits>(exports, "traits", self);
  Export<Descriptor>(exports, "descriptor", self);
  Export<Owner>(exports, "owner", self);
  Export<Compare>(exports, "compare", self);
  Export<SameFile>(exports, "sameFile", self);
  Export<Remote>(exports, "remote", self);
}

}  // namespace holdfast
