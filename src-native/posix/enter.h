// Becoming another program, as far as Linux and macOS have it in common.
#ifndef HOLDFAST_POSIX_ENTER_H_
#define HOLDFAST_POSIX_ENTER_H_

#include "../program.h"

namespace holdfast {

// All that execve(2) is given, made ready beforehand: between the fork and the
// exec of a child that shares this memory nothing may be allocated.
class Invocation {
 public:
  // False: there is no memory for it.
  bool Prepare(Program* program);

  // Tries the candidates as execvp(3) does. Returns the errno that tells most.
  int Execute();

 private:
  Words candidates_;
  Words environment_;
  // For a script without an interpreter line.
  Words shell_;
  char** arguments_ = nullptr;
};

constexpr int kSignals = 65;

// Sets up what the program inherits. Async-signal-safe. The dispositions of
// all signals become the default or, where it says so, ignored.
void EnterProgram(const Program& program);

}  // namespace holdfast

#endif  // HOLDFAST_POSIX_ENTER_H_
