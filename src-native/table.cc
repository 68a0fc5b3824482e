#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

namespace holdfast {
namespace {

// An id is the generation of its slot and the slot's number, small enough to
// be exact as a JavaScript number.
constexpr uint32_t kSlotBits = 20;
constexpr uint32_t kMostSlots = 1u << kSlotBits;
constexpr int kRemovePatienceMs = 100;

// The test build begins near the end, or it would be years before a slot wraps.
#ifndef HOLDFAST_FIRST_GENERATION
#define HOLDFAST_FIRST_GENERATION 0
#endif
constexpr uint32_t kLastGeneration = UINT32_MAX;

Mutex tables_mutex;
Table* tables = nullptr;

// Whether the file's content is still what this lock wrote. A process that
// was handed the lock writes its own. Every write below is preceded by this, or
// by TypeScript's look at the content (src/lock/hold.ts): nothing of anybody
// else is overwritten or cut off.
int LookForRecord(int fd, const Buffer& record, bool* ours) {
  Buffer content;
  size_t length = 0;
  *ours = false;
  if (!content.Allocate(record.size() + 1)) return ENOMEM;
  const int error = ReadContent(fd, content.data(), record.size() + 1, &length);
  *ours = error == 0 && record.Equals(content.data(), length);
  return error;
}

// Whether nobody else has written into the file since.
int LookIfUntouched(int fd, const Entry& entry, bool* untouched) {
  if (entry.record.size() != 0) {
    return LookForRecord(fd, entry.record, untouched);
  }
  // What was there when it was read, or nothing.
  Buffer content;
  size_t length = 0;
  const size_t size = static_cast<size_t>(entry.file.size);
  *untouched = false;
  if (size > kRecordLimit) return 0;
  if (!content.Allocate(size + 1)) return ENOMEM;
  const int error = ReadContent(fd, content.data(), size + 1, &length);
  *untouched = error == 0 && length == size &&
               (size == 0 || HashOf(content.data(), length) == entry.content);
  return error;
}

int LeaveBehind(int fd, Entry* entry) {
  bool touched;
  return ReplaceContent(fd, entry->left.data(), entry->left.size(),
                        entry->record.size(), &touched);
}

}  // namespace

Table::Table() : process_(getpid()) {
  MutexGuard guard(&tables_mutex);
  next_ = tables;
  tables = this;
}

Table::~Table() {
  {
    MutexGuard guard(&tables_mutex);
    for (Table** link = &tables; *link != nullptr; link = &(*link)->next_) {
      if (*link != this) continue;
      *link = next_;
      break;
    }
  }
  free(slots_);
  free(vacant_);
}

uint64_t Table::Add(Entry* entry) {
  MutexGuard guard(&mutex_);
  uint32_t slot;
  if (vacant_count_ > 0) {
    slot = vacant_[--vacant_count_];
  } else {
    if (used_ == kMostSlots) return 0;
    if (used_ == capacity_) {
      const uint32_t grown = capacity_ == 0 ? 16 : capacity_ * 2;
      void* slots = realloc(slots_, grown * sizeof(Slot));
      if (slots == nullptr) return 0;
      slots_ = static_cast<Slot*>(slots);
      void* vacant = realloc(vacant_, grown * sizeof(uint32_t));
      if (vacant == nullptr) return 0;
      vacant_ = static_cast<uint32_t*>(vacant);
      capacity_ = grown;
    }
    slot = used_++;
    slots_[slot].generation = HOLDFAST_FIRST_GENERATION;
  }
  slots_[slot].entry = entry;
  slots_[slot].generation++;
  entry->id =
      static_cast<uint64_t>(slots_[slot].generation) << kSlotBits | slot;
  return entry->id;
}

Entry* Table::Find(uint64_t id) {
  const uint64_t slot = id & (kMostSlots - 1);
  if (slot >= used_ || slots_[slot].generation != id >> kSlotBits) {
    return nullptr;
  }
  return slots_[slot].entry;
}

bool Table::Owns(int fd) {
  MutexGuard guard(&tables_mutex);
  bool owned = false;
  for (Table* table = tables; table != nullptr; table = table->next_) {
    MutexGuard table_guard(&table->mutex_);
    for (uint32_t slot = 0; slot < table->used_; slot++) {
      const Entry* entry = table->slots_[slot].entry;
      owned = owned || (entry != nullptr && entry->fd == fd);
    }
  }
  return owned;
}

int Table::TakeFd(Entry* entry) {
  MutexGuard guard(&mutex_);
  const int fd = entry->fd;
  entry->held = Held::kNot;
  entry->fd = -1;
  return fd;
}

void Table::Drop(Entry* entry) {
  {
    MutexGuard guard(&mutex_);
    const uint32_t slot = static_cast<uint32_t>(entry->id & (kMostSlots - 1));
    slots_[slot].entry = nullptr;
    // A slot whose generations are used up is retired: begun anew, its ids
    // would be those of entries that are long gone.
    if (slots_[slot].generation != kLastGeneration) {
      vacant_[vacant_count_++] = slot;
    }
  }
  if (entry->wait != nullptr) entry->wait->Unreference();
  delete entry;
}

int Table::WriteRecord(Entry* entry, const char* text, size_t length,
                       const char* left, size_t left_length, bool guarded) {
  int error;
  bool touched;
  if (guarded) {
    PathGuard guard(entry->path.data(), PathGuard::Purpose::kRecord,
                    kRemovePatienceMs);
    if (guard.error() != 0) return guard.error();
    if (!guard.state().SameFile(entry->file)) return ESTALE;
    error =
        ReplaceContent(guard.fd(), text, length, guard.state().size, &touched);
  } else {
    error = ReplaceContent(entry->fd, text, length, entry->file.size, &touched);
  }
  if (error != 0) {
    // A disk that is full, in the middle of a long record. What is put back
    // is short or was there before, so there is room for it.
    const bool had = entry->record.size() != 0;
    const char* back = had ? entry->record.data() : left;
    const size_t size = had ? entry->record.size() : left_length;
    FileState now;
    if (touched && StateOfDescriptor(entry->fd, &now) == 0) {
      ReplaceContent(entry->fd, back, size, now.size, &touched);
    }
    return error;
  }
  entry->file.size = length;
  MutexGuard guard(&mutex_);
  if (!entry->record.Allocate(length) || !entry->left.Allocate(left_length)) {
    return ENOMEM;
  }
  memcpy(entry->record.data(), text, length);
  memcpy(entry->left.data(), left, left_length);
  return 0;
}

int Table::ClearRecord(Entry* entry) {
  // Somebody who took no lock may have put content of his own there.
  if (entry->record.size() == 0) return 0;
  bool ours;
  const int error = LookForRecord(entry->fd, entry->record, &ours);
  return error == 0 && ours ? TakeRecordOut(entry) : error;
}

int Table::TakeRecordOut(Entry* entry) {
  if (entry->record.size() == 0) return 0;
  const int error = LeaveBehind(entry->fd, entry);
  // Still in the file: the release is to try again.
  if (error != 0) return error;
  entry->file.size = entry->left.size();
  MutexGuard guard(&mutex_);
  entry->record.Truncate(0);
  return 0;
}

Failure Table::Release(Entry* entry) {
  Failure failure;
  const bool locked = entry->held != Held::kNot;
  if (locked) {
    bool ours = false;
    if (entry->record.size() != 0 || entry->remove_at_end) {
      failure.Note(Failure::kWrite, LookIfUntouched(entry->fd, *entry, &ours));
    }
    if (ours) failure.Note(Failure::kWrite, TakeRecordOut(entry));
    // A shared holder that removed the file would leave the others on a file
    // that no newcomer meets, so it has to be alone.
    if (ours && entry->remove_at_end &&
        (entry->held == Held::kExclusive ||
         Flock(entry->fd, LOCK_EX | LOCK_NB) == 0)) {
      const int error =
          RemoveIfSame(entry->path.data(), entry->file, kRemovePatienceMs);
      if (error != EAGAIN) failure.Note(Failure::kUnlink, error);
    }
  }
  const int fd = TakeFd(entry);
  // Before the close: between fork and exec a child has a copy of the
  // descriptor, which would keep the lock for that while.
  if (locked) failure.Note(Failure::kUnlock, Flock(fd, LOCK_UN));
  failure.Note(Failure::kClose, CloseDescriptor(fd));
  Drop(entry);
  return failure;
}

void Table::Detach(Entry* entry) {
  if (entry->record.size() != 0) {
    PathGuard guard(entry->path.data(), PathGuard::Purpose::kRecord,
                    kRemovePatienceMs);
    bool ours = false;
    if (guard.error() == 0 && guard.state().SameFile(entry->file)) {
      LookForRecord(guard.fd(), entry->record, &ours);
    }
    if (ours) LeaveBehind(guard.fd(), entry);
  }
  CloseDescriptor(TakeFd(entry));
  Drop(entry);
}

bool Table::CancelWait(Entry* entry) {
  const bool ending = entry->wait != nullptr && entry->wait->Cancel();
  if (!ending) {
    // No wait, or it has settled: whatever came of it is given back here.
    const int fd = TakeFd(entry);
    Flock(fd, LOCK_UN);
    CloseDescriptor(fd);
  }
  Drop(entry);
  return ending;
}

// Ends with the descriptor closed.
void Table::AbandonEntry(Entry* entry) {
  const int fd = entry->fd;
  const bool exclusive = entry->held == Held::kExclusive;
  const bool recorded = entry->record.size() != 0;
  // A copy of this table in a forked child is not to end anything; and a
  // record that is not ours any more is that of a child that took over.
  bool ours = false;
  if (process_ == getpid() && exclusive) LookIfUntouched(fd, *entry, &ours);
  if (ours && recorded) LeaveBehind(fd, entry);
  entry->held = Held::kNot;
  entry->fd = -1;
  CloseDescriptor(fd);
  if (!ours || !entry->remove_at_end) return;
  // Whoever still has the lock, a child that inherited the descriptor or the
  // next one, would be left with a file that no newcomer meets. So it goes
  // only if nobody has it, which a lock through a fresh description tells.
  PathGuard guard(entry->path.data(), PathGuard::Purpose::kPath, 0);
  if (guard.error() == 0 && guard.state().SameFile(entry->file) &&
      Flock(guard.fd(), LOCK_EX | LOCK_NB) == 0) {
    // By one that had it for a moment in between, it may have been removed.
    FileState at_path;
    if (StateOfPath(entry->path.data(), &at_path) == 0 &&
        at_path.SameFile(entry->file)) {
      RemoveFile(entry->path.data());
    }
  }
}

void Table::Abandon() {
  for (uint32_t slot = 0; slot < used_; slot++) {
    Entry* entry = slots_[slot].entry;
    if (entry == nullptr) continue;
    if (entry->wait != nullptr && entry->held == Held::kNot) {
      CancelWait(entry);
      continue;
    }
    {
      MutexGuard guard(&mutex_);
      AbandonEntry(entry);
    }
    Drop(entry);
  }
}

bool Table::BlockedByItself(const Entry& entry, bool exclusive) {
  for (uint32_t slot = 0; slot < used_; slot++) {
    const Entry* other = slots_[slot].entry;
    if (other == nullptr || other == &entry ||
        !other->file.SameFile(entry.file)) {
      continue;
    }
    if (other->held == Held::kNot
            ? other->wait != nullptr
            : exclusive || other->held == Held::kExclusive) {
      return true;
    }
  }
  return false;
}

// `process.exit()` and an uncaught error run no hook of Node-API on the main
// thread, but they run the destructors of shared libraries; a fatal signal
// runs neither. Nothing here waits: exit() may have been called from anywhere.
void Table::AbandonAll() {
  if (!tables_mutex.TryLock()) return;
  for (Table* table = tables; table != nullptr; table = table->next_) {
    if (!table->mutex_.TryLock()) continue;
    for (uint32_t slot = 0; slot < table->used_; slot++) {
      Entry* entry = table->slots_[slot].entry;
      if (entry == nullptr || entry->held == Held::kNot) continue;
      table->AbandonEntry(entry);
    }
    table->mutex_.Unlock();
  }
  tables_mutex.Unlock();
}

__attribute__((destructor)) static void AtExit() { Table::AbandonAll(); }

}  // namespace holdfast
