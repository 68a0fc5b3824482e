// Every descriptor that an environment (a JavaScript thread) has open, and how
// each of them ends. JavaScript knows an entry by an id that is never used
// again, so a second release cannot hit a descriptor whose number now belongs
// to somebody else.
#ifndef HOLDFAST_TABLE_H_
#define HOLDFAST_TABLE_H_

#include <errno.h>
#include <stdint.h>

#include "file.h"
#include "memory.h"
#include "platform.h"
#include "wait.h"

namespace holdfast {

enum class Mode : uint8_t { kUnlocked, kShared, kExclusive };

// The step of a release that failed first; 0: none.
struct Failure {
  enum Step : int { kWrite = 1, kUnlink, kUnlock, kClose };
  int step = 0;
  int error = 0;

  void Note(Step failed, int code) {
    if (code == 0 || error != 0) return;
    step = failed;
    error = code;
  }
};

struct Entry {
  uint64_t id = 0;
  int fd = -1;
  bool read_only = false;
  bool remote = false;
  bool remove_at_end = false;
  Mode held = Mode::kUnlocked;
  FileState file{};  // the size is that of the last comparison or write
  Buffer path;
  // The hash of the content that TypeScript read last.
  uint64_t content = 0;
  // What this lock wrote into the file, empty if it wrote nothing; and what it
  // leaves there at the end.
  Buffer record;
  Buffer left;
  Wait* wait = nullptr;
  // What to do once the wait is granted, as `begin` has it; -1: nothing.
  int wish = -1;
  Buffer data;
};

// Compares path and descriptor, and notes the size. ESTALE: the path leads
// elsewhere.
inline int CompareEntry(Entry* entry) {
  FileState at_path;
  const int error = StateOfPath(entry->path.data(), &at_path);
  if (error == ENOENT || error == ENOTDIR) return ESTALE;
  if (error != 0) return error;
  if (!at_path.SameFile(entry->file)) return ESTALE;
  entry->file.size = at_path.size;
  return 0;
}

// As src/native/binding.ts has them.
inline int TraitsOf(const Entry& entry) {
  return (entry.file.kind == Kind::kDirectory ? 1 : 0) |
         (entry.read_only ? 2 : 0) | (entry.remote ? 4 : 0);
}

// Takes a settled wait off its entry and returns its result.
inline int CollectWait(Entry* entry, Mode mode) {
  const int result = entry->wait->result();
  entry->wait->Unreference();
  entry->wait = nullptr;
  entry->held = result == 0 ? mode : Mode::kUnlocked;
  return result;
}

class Table {
 public:
  Table();
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // An entry to fill in: the last one that ended, whose buffers have memory, or
  // a new one. Give it to Add or Recycle.
  Entry* Fresh();
  void Recycle(Entry* entry);
  // Takes over the entry and gives it an id; 0: the table is full.
  uint64_t Add(Entry* entry);
  Entry* Find(uint64_t id);
  // Whether any environment of this process has the descriptor.
  static bool Owns(int fd);
  // Removes the entry and deletes it. Its descriptor stays open.
  void Drop(Entry* entry);

  // Makes `text` the content of the lock file; `left` is what a release leaves
  // there. `guarded`: under the guard of the path, so that a detach in another
  // process cannot write at the same time.
  int WriteRecord(Entry* entry, const char* text, size_t length,
                  const char* left, size_t left_length, bool guarded);
  // Replaces the record, if it is still there, with what a release leaves.
  int ClearRecord(Entry* entry);

  // Each of the next three ends the entry. It takes the descriptor out of the
  // entry (TakeFd) before it closes it. So AbandonAll on another thread cannot
  // find a descriptor that is closed or, worse, belongs to somebody else.
  Failure Release(Entry* entry);
  void Detach(Entry* entry);
  // True: a waiting thread has yet to close the descriptor.
  bool CancelWait(Entry* entry);

  // At the end of the environment or of the process: releases everything as far
  // as possible, but without unlocking. The kernel unlocks when the last copy
  // of a descriptor closes, so a child that inherited one keeps the lock.
  void Abandon();

  // Whether another entry of this environment holds the file in a mode that
  // conflicts with `exclusive`, or waits for it.
  bool BlockedByItself(const Entry& entry, bool exclusive);

  // At the exit of the process.
  static void AbandonAll();

 private:
  struct Slot {
    Entry* entry;
    uint32_t generation;
  };

  int RemoveRecord(Entry* entry);
  void AbandonEntry(Entry* entry);
  int TakeFd(Entry* entry);
  // TakeFd, and the entry is no longer in the table.
  int TakeOut(Entry* entry);
  void Vacate(const Entry* entry);

  Entry* spare_ = nullptr;

  // Guards the slots and the records against AbandonAll on the thread that ends
  // the process. Never held during a call that may block.
  Mutex mutex_;
  pid_t process_;
  Slot* slots_ = nullptr;
  uint32_t used_ = 0;
  uint32_t capacity_ = 0;
  uint32_t* vacant_ = nullptr;
  uint32_t vacant_count_ = 0;
  Table* next_ = nullptr;
};

}  // namespace holdfast

#endif  // HOLDFAST_TABLE_H_
