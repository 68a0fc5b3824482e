// Every descriptor that an environment (a JavaScript thread) has open, and
// what is to be done with it at the end. JavaScript knows an entry by an id
// that is never used again, so a second release cannot hit a descriptor whose
// number has meanwhile been given to somebody else.
#ifndef HOLDFAST_TABLE_H_
#define HOLDFAST_TABLE_H_

#include <stdint.h>

#include "file.h"
#include "memory.h"
#include "platform.h"
#include "wait.h"

namespace holdfast {

enum class Held : uint8_t { kNot, kShared, kExclusive };

// Which step of a release failed first; 0 for none.
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
  Held held = Held::kNot;
  FileState file{};  // its size as of the last comparison or write
  Buffer path;
  // Of the content that TypeScript was given last.
  uint64_t content = 0;
  // What this lock wrote into the file, and what it is to leave there; the
  // first is empty where it wrote nothing.
  Buffer record;
  Buffer left;
  Wait* wait = nullptr;
};

class Table {
 public:
  Table();
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Takes the entry and gives it an id.
  uint64_t Add(Entry* entry);
  Entry* Find(uint64_t id);
  // Whether any environment of this process has the descriptor.
  static bool Owns(int fd);
  // Forgets the entry and deletes it; its descriptor is not touched.
  void Drop(Entry* entry);

  // Replaces the content of the lock file and remembers it. `guarded`: under
  // the guard of the path, against a detach in another process.
  int WriteRecord(Entry* entry, const char* text, size_t length,
                  const char* left, size_t left_length, bool guarded);
  // Puts what is to be left into the file, and forgets the record.
  int ClearRecord(Entry* entry);

  // Each ends the entry. What is closed is first taken out of it (TakeFd), so
  // that AbandonAll on another thread cannot meet a descriptor that is closed
  // or, worse, somebody else's by then.
  Failure Release(Entry* entry);
  void Detach(Entry* entry);
  // True: a waiting thread still has to give the descriptor back.
  bool CancelWait(Entry* entry);

  // The end of the environment, or of the process: an orderly release as far
  // as one is possible, without unlocking. The kernel does that, and spares a
  // child that was handed the descriptor.
  void Abandon();

  // Whether this environment holds `entry`'s file in a mode that conflicts
  // with `exclusive`, or waits for it.
  bool BlockedByItself(const Entry& entry, bool exclusive);

  // At the exit of the process.
  static void AbandonAll();

 private:
  struct Slot {
    Entry* entry;
    uint32_t generation;
  };

  int TakeRecordOut(Entry* entry);
  void AbandonEntry(Entry* entry);
  int TakeFd(Entry* entry);

  // Guards the slots and the records against AbandonAll on the thread that
  // ends the process. Never held over a call that may block.
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
