// Becoming another program: the part that Linux and macOS share.
#ifndef HOLDFAST_POSIX_ENTER_H_
#define HOLDFAST_POSIX_ENTER_H_

#include "../program.h"

namespace holdfast {

// The arguments of execve(2), prepared in advance: a child that shares this
// memory must not allocate between its fork and its exec.
class Invocation {
 public:
  // False: out of memory.
  bool Prepare(Program* program);

  // Tries the candidates as execvp(3) does. Returns the most telling errno.
  int Execute();

 private:
  Words candidates_;
  Words environment_;
  // For a script without an interpreter line.
  Words shell_;
  char** arguments_ = nullptr;
};

constexpr int kSignals = 65;

// Sets up what the program inherits. Async-signal-safe. Every signal gets its
// default action, or is ignored if the program asks for that.
void EnterProgram(const Program& program);

}  // namespace holdfast

#endif  // HOLDFAST_POSIX_ENTER_H_
