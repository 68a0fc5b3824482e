// A program to run, in the place of this one or beside it, with just what the
// caller of this process gave it: its descriptors, ignored signals and limits.
#ifndef HOLDFAST_PROGRAM_H_
#define HOLDFAST_PROGRAM_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "memory.h"
#include "platform.h"

namespace holdfast {

// A list of words as exec(3) takes them.
class Words {
 public:
  Words() = default;
  ~Words();
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;

  bool Add(const char* bytes, size_t size);
  // A word that belongs to somebody else and outlives the list.
  bool AddForeign(char* word);
  // Of a list that has a word there, and does not own it.
  void Replace(size_t index, char* word) { words_[index] = word; }

  size_t size() const { return size_; }
  // Ends with a null pointer.
  char** pointers() { return words_ == nullptr ? none_ : words_; }

 private:
  bool Grow();

  static char* none_[1];

  char** words_ = nullptr;
  bool* owned_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Bit N-1 is signal N.
using SignalSet = uint64_t;

struct Program {
  // Its name first.
  Words arguments;
  // What is added to the environment of this process, as NAME=value.
  Words added;
  // Descriptors that it inherits under their own numbers.
  const int* kept = nullptr;
  size_t kept_count = 0;
  // The descriptor of the lock, and the number that it gets; -1 for none.
  int lock = -1;
  int lock_number = -1;
  SignalSet ignored = 0;
  SignalSet blocked = 0;
  // The soft limit of open files; negative: as it is.
  int64_t most_files = -1;
  // Bit N: O_NONBLOCK is taken off standard stream N.
  unsigned blocking_streams = 0;
};

// Turns this process into the program. Returns only on failure, an errno, with
// everything as it was.
int ExecuteInPlace(Program* program);

// A program that runs beside this one.
class Child {
 public:
  // How it ended: by exit(2) with a status, or by a signal with that number.
  struct End {
    bool exited = false;
    int status = 0;
  };
  // Called on a thread of the child's own when it has ended, at most once and
  // never after Abandon(). The pid means the child until Reap().
  using Report = void (*)(Child* child, void* context);

  // An errno, and no child. ENOTSUP: not on this platform.
  static int Start(Program* program, Report report, void* context,
                   Child** started);

  int pid() const { return pid_; }
  // Of a child that was reported: waits for the thread, and lets the system
  // forget the child. The object is gone afterwards.
  End Reap();
  // Nobody wants to hear of it any more. The object is gone afterwards.
  void Abandon();

 private:
  Child() = default;
  ~Child() = default;
  static void* Watch(void* argument);
  void Forget();
  void Unreference();

  int pid_ = 0;
  End end_;
  ThreadId thread_{};
  // Guards the next two, and is held until there is a child to wait for.
  Mutex mutex_;
  bool wanted_ = true;
  bool ended_ = false;
  // One is the starter's, one the thread's.
  std::atomic<uint32_t> references_{2};
  Report report_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace holdfast

#endif  // HOLDFAST_PROGRAM_H_
