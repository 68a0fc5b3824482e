#include "table.h"

#include <errno.h>
#include <stdlib.h>

#include "record.h"

namespace holdfast {
namespace {

// An id is the generation of its slot followed by the slot's number. It stays
// small enough to be exact as a JavaScript number.
constexpr uint32_t kSlotBits = 20;
constexpr uint32_t kMostSlots = 1u << kSlotBits;

// The test build begins near the end: otherwise a slot would serve for years.
#ifndef HOLDFAST_FIRST_GENERATION
#define HOLDFAST_FIRST_GENERATION 0
#endif
constexpr uint32_t kLastGeneration = UINT32_MAX;

constexpr size_t kSpareBytes = 4096;

Mutex tables_mutex;
Table* tables = nullptr;

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
  delete spare_;
  free(slots_);
  free(vacant_);
}

Entry* Table::Fresh() {
  Entry* entry = spare_;
  if (entry == nullptr) return new Entry;
  spare_ = nullptr;
  return entry;
}

void Table::Recycle(Entry* entry) {
  // One that had a long record does not keep the memory.
  if (spare_ != nullptr || entry->record.capacity() > kSpareBytes ||
      entry->path.capacity() > kSpareBytes ||
      entry->data.capacity() > kSpareBytes) {
    delete entry;
    return;
  }
  entry->id = 0;
  entry->fd = -1;
  entry->read_only = false;
  entry->remote = false;
  entry->remove_at_end = false;
  entry->held = Mode::kUnlocked;
  entry->content = 0;
  entry->record.Truncate(0);
  entry->left.Truncate(0);
  entry->wait = nullptr;
  entry->wish = -1;
  entry->data.Truncate(0);
  spare_ = entry;
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
  entry->held = Mode::kUnlocked;
  entry->fd = -1;
  return fd;
}

void Table::Vacate(const Entry* entry) {
  const uint32_t slot = static_cast<uint32_t>(entry->id & (kMostSlots - 1));
  slots_[slot].entry = nullptr;
  // A slot that has used up its generations is retired: starting again, it
  // would give out ids of earlier entries.
  if (slots_[slot].generation != kLastGeneration) {
    vacant_[vacant_count_++] = slot;
  }
}

int Table::TakeOut(Entry* entry) {
  MutexGuard guard(&mutex_);
  const int fd = entry->fd;
  entry->fd = -1;
  Vacate(entry);
  return fd;
}

void Table::Drop(Entry* entry) {
  {
    MutexGuard guard(&mutex_);
    Vacate(entry);
  }
  if (entry->wait != nullptr) entry->wait->Unreference();
  Recycle(entry);
}

Failure Table::Release(Entry* entry) {
  Failure failure;
  const bool locked = entry->held != Mode::kUnlocked;
  if (locked) {
    bool ours = false;
    if (entry->record.size() != 0 || entry->remove_at_end) {
      failure.Note(Failure::kWrite, CheckUntouched(entry->fd, *entry, &ours));
    }
    if (ours) failure.Note(Failure::kWrite, RemoveRecord(entry));
    // A shared holder that removed the file would leave the others with a file
    // that no newcomer opens, so it must be the only holder.
    if (ours && entry->remove_at_end &&
        (entry->held == Mode::kExclusive ||
         Flock(entry->fd, LOCK_EX | LOCK_NB) == 0)) {
      const int error =
          RemoveIfSame(entry->path.data(), entry->file, kGuardPatienceMs);
      if (error != EAGAIN) failure.Note(Failure::kUnlink, error);
    }
  }
  const int fd = TakeOut(entry);
  // Unlock before the close: a child between fork and exec has a copy of the
  // descriptor, and that would keep the lock.
  if (locked) failure.Note(Failure::kUnlock, Flock(fd, LOCK_UN));
  failure.Note(Failure::kClose, CloseDescriptor(fd));
  if (entry->wait != nullptr) entry->wait->Unreference();
  Recycle(entry);
  return failure;
}

void Table::Detach(Entry* entry) {
  if (entry->record.size() != 0) {
    PathGuard guard(entry->path.data(), PathGuard::Purpose::kRecord,
                    kGuardPatienceMs);
    bool ours = false;
    if (guard.error() == 0 && guard.state().SameFile(entry->file)) {
      CheckRecord(guard.fd(), entry->record, &ours);
    }
    if (ours) WriteLeftover(guard.fd(), entry);
  }
  CloseDescriptor(TakeFd(entry));
  Drop(entry);
}

bool Table::CancelWait(Entry* entry) {
  const bool ending = entry->wait != nullptr && entry->wait->Cancel();
  if (!ending) {
    // There is no wait, or it has settled: give back what it may have got.
    const int fd = TakeFd(entry);
    Flock(fd, LOCK_UN);
    CloseDescriptor(fd);
  }
  Drop(entry);
  return ending;
}

// Closes the descriptor in every case.
void Table::AbandonEntry(Entry* entry) {
  const int fd = entry->fd;
  const bool exclusive = entry->held == Mode::kExclusive;
  const bool recorded = entry->record.size() != 0;
  // A copy of this table in a forked child must not end anything. And where the
  // record is no longer ours, a child has taken over the lock.
  bool ours = false;
  if (process_ == getpid() && exclusive) CheckUntouched(fd, *entry, &ours);
  if (ours && recorded) WriteLeftover(fd, entry);
  entry->held = Mode::kUnlocked;
  entry->fd = -1;
  CloseDescriptor(fd);
  if (!ours || !entry->remove_at_end) return;
  // A child that inherited the descriptor may still hold the lock, or the next
  // holder already does. Removing the file would leave them with one that no
  // newcomer opens. So remove it only if nobody holds it, which a lock through
  // a fresh description shows.
  PathGuard guard(entry->path.data(), PathGuard::Purpose::kPath, 0);
  if (guard.error() == 0 && guard.state().SameFile(entry->file) &&
      Flock(guard.fd(), LOCK_EX | LOCK_NB) == 0) {
    // Another process may have held it in between, and removed it.
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
    if (entry->wait != nullptr && entry->held == Mode::kUnlocked) {
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
    if (other->held == Mode::kUnlocked
            ? other->wait != nullptr
            : exclusive || other->held == Mode::kExclusive) {
      return true;
    }
  }
  return false;
}

// On the main thread `process.exit()` and an uncaught error run no hook of
// Node-API, but they run the destructors of shared libraries. A fatal signal
// runs neither. Nothing here waits: any thread may have called exit(), at any
// moment.
void Table::AbandonAll() {
  if (!tables_mutex.TryLock()) return;
  for (Table* table = tables; table != nullptr; table = table->next_) {
    if (!table->mutex_.TryLock()) continue;
    for (uint32_t slot = 0; slot < table->used_; slot++) {
      Entry* entry = table->slots_[slot].entry;
      if (entry == nullptr || entry->held == Mode::kUnlocked) continue;
      table->AbandonEntry(entry);
    }
    table->mutex_.Unlock();
  }
  tables_mutex.Unlock();
}

__attribute__((destructor)) static void AtExit() { Table::AbandonAll(); }

}  // namespace holdfast
