// Running a program, in place of this one or beside it. It inherits exactly the
// descriptors, ignored signals and limits that this process got from its
// caller.
#ifndef HOLDFAST_PROGRAM_H_
#define HOLDFAST_PROGRAM_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "memory.h"
#include "platform.h"

namespace holdfast {

// A list of words in the form that exec(3) takes.
class Words {
 public:
  Words() = default;
  ~Words();
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;

  bool Add(const char* bytes, size_t size);
  // Adds a word that the list does not own, and that outlives the list.
  bool AddForeign(char* word);
  // Replaces a word that the list does not own.
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
  // Added to the environment of this process, as NAME=value.
  Words added;
  // Descriptors that it inherits under their own numbers.
  const int* kept = nullptr;
  size_t kept_count = 0;
  // The descriptor of the lock, and the number it gets in the program; -1:
  // none.
  int lock = -1;
  int lock_number = -1;
  SignalSet ignored = 0;
  SignalSet blocked = 0;
  // The soft limit of open files; negative: unchanged.
  int64_t most_files = -1;
  // Bit N: clear O_NONBLOCK on standard stream N.
  unsigned blocking_streams = 0;
  // A child is killed when this process ends, in whatever way. Only on Linux;
  // not a program that gains privileges by its exec.
  bool end_with_parent = false;
};

// Turns this process into the program. It returns only on failure: an errno,
// with everything restored.
int ExecuteInPlace(Program* program);

struct Birth;

// A program that runs beside this one.
class Child {
 public:
  // How it ended: by exit(2) with a status, or by a signal with that number.
  struct End {
    bool exited = false;
    int status = 0;
  };
  // Called on a thread of its own when the child has ended: at most once, and
  // never after Abandon(). The pid belongs to the child until Reap().
  using Report = void (*)(Child* child, void* context);

  // Not 0: an errno, and there is no child. ENOTSUP: not on this platform.
  static int Start(Program* program, Report report, void* context,
                   Child** started);

  int pid() const { return pid_; }
  // For a child whose end was reported: waits for the thread, then reaps the
  // child. Deletes the object.
  End Reap();
  // Cancels the report. Deletes the object.
  void Abandon();

 private:
  Child() = default;
  ~Child() = default;
  static void* Watch(void* argument);
  void ReapZombie();
  void Unreference();

  int pid_ = 0;
  End end_;
  ThreadId thread_{};
  // Set by the thread: the child exists, or why it does not.
  std::atomic<uint32_t> born_{0};
  Birth* birth_ = nullptr;
  // Guards the next two.
  Mutex mutex_;
  bool wanted_ = true;
  bool ended_ = false;
  // One belongs to the starter, one to the thread.
  std::atomic<uint32_t> references_{2};
  Report report_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace holdfast

#endif  // HOLDFAST_PROGRAM_H_
