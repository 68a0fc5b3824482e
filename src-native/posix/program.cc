#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../file.h"
#include "enter.h"
#include "surroundings.h"

namespace holdfast {
namespace {

constexpr char kShell[] = "/bin/sh";

bool IsIn(SignalSet set, int number) { return (set >> (number - 1) & 1) != 0; }

// The files that the name of a command can mean: the name itself if it has a
// slash, else one in each folder of PATH.
bool FindCandidates(const char* name, Words* candidates) {
  const size_t length = strlen(name);
  if (length == 0 || strchr(name, '/') != nullptr) {
    return candidates->Add(name, length);
  }
  const char* path = getenv("PATH");
  if (path == nullptr) path = "/bin:/usr/bin";
  Buffer candidate;
  for (;;) {
    const char* colon = strchr(path, ':');
    const size_t folder =
        colon == nullptr ? strlen(path) : static_cast<size_t>(colon - path);
    // An empty element is the working directory.
    const size_t slash = folder == 0 ? 0 : 1;
    if (!candidate.Allocate(folder + slash + length)) return false;
    memcpy(candidate.data(), path, folder);
    if (slash == 1) candidate.data()[folder] = '/';
    memcpy(candidate.data() + folder + slash, name, length);
    if (!candidates->Add(candidate.data(), candidate.size())) return false;
    if (colon == nullptr) return true;
    path = colon + 1;
  }
}

// Whether two strings of the form NAME=value have the same name.
bool SameName(const char* one, const char* other) {
  while (*one == *other && *one != '=' && *one != '\0') {
    one++;
    other++;
  }
  return *one == *other;
}

bool IsReplaced(const char* variable, Words* added) {
  for (size_t index = 0; index < added->size(); index++) {
    if (SameName(variable, added->pointers()[index])) return true;
  }
  return false;
}

bool MergeEnvironment(Words* added, Words* environment) {
  for (char** variable = Environ(); variable != nullptr && *variable != nullptr;
       variable++) {
    if (!IsReplaced(*variable, added) && !environment->AddForeign(*variable)) {
      return false;
    }
  }
  for (size_t index = 0; index < added->size(); index++) {
    if (!environment->AddForeign(added->pointers()[index])) return false;
  }
  return true;
}

// Whether execvp(3) would go on to the next folder of PATH after this error.
bool IsAbsent(int error) {
  return error == ENOENT || error == ENOTDIR || error == ESTALE ||
         error == ENODEV || error == ETIMEDOUT || error == ENAMETOOLONG;
}

void ClearFlag(int fd, int flag) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags != -1 && (flags & flag) != 0) fcntl(fd, F_SETFL, flags & ~flag);
}

}  // namespace

bool Invocation::Prepare(Program* program) {
  arguments_ = program->arguments.pointers();
  if (!FindCandidates(arguments_[0], &candidates_) ||
      !MergeEnvironment(&program->added, &environment_) ||
      !shell_.AddForeign(const_cast<char*>(kShell)) ||
      !shell_.AddForeign(nullptr)) {
    return false;
  }
  for (size_t index = 1; index < program->arguments.size(); index++) {
    if (!shell_.AddForeign(arguments_[index])) return false;
  }
  return true;
}

int Invocation::Execute() {
  bool forbidden = false;
  char** const environment = environment_.pointers();
  for (size_t index = 0; index < candidates_.size(); index++) {
    char* const candidate = candidates_.pointers()[index];
    execve(candidate, arguments_, environment);
    if (errno == ENOEXEC) {
      shell_.Replace(1, candidate);
      execve(kShell, shell_.pointers(), environment);
    }
    if (errno == EACCES) {
      forbidden = true;
    } else if (!IsAbsent(errno)) {
      return errno;
    }
  }
  return forbidden ? EACCES : ENOENT;
}

void EnterProgram(const Program& program) {
  struct sigaction action = {};
  for (int number = 1; number < kSignals; number++) {
    action.sa_handler = IsIn(program.ignored, number) ? SIG_IGN : SIG_DFL;
    sigaction(number, &action, nullptr);
  }
  for (int stream = 0; stream <= 2; stream++) {
    // Node marks every inherited descriptor to be closed on exec, these too.
    SetCloseOnExec(stream, false);
    if ((program.blocking_streams >> stream & 1) != 0) {
      ClearFlag(stream, O_NONBLOCK);
    }
  }
  for (size_t index = 0; index < program.kept_count; index++) {
    SetCloseOnExec(program.kept[index], false);
  }
  if (program.lock != -1) {
    if (program.lock == program.lock_number) {
      SetCloseOnExec(program.lock, false);
    } else {
      dup2(program.lock, program.lock_number);
    }
  }
  if (program.most_files >= 0) SetMostFiles(program.most_files);
  sigset_t mask;
  sigemptyset(&mask);
  for (int number = 1; number < kSignals; number++) {
    if (IsIn(program.blocked, number)) sigaddset(&mask, number);
  }
  // Do this last: a pending signal may end the process here.
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

int ExecuteInPlace(Program* program) {
  Invocation invocation;
  if (!invocation.Prepare(program)) return ENOMEM;
  struct sigaction saved[kSignals];
  bool known[kSignals] = {};
  for (int number = 1; number < kSignals; number++) {
    known[number] = sigaction(number, nullptr, &saved[number]) == 0;
  }
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  const int64_t most_files = MostFiles();
  // The number for the lock may be in use in this process.
  int displaced = -1;
  if (program->lock != program->lock_number &&
      fcntl(program->lock_number, F_GETFD) != -1) {
    const int error = Duplicate(program->lock_number, &displaced);
    if (error != 0) return error;
  }

  EnterProgram(*program);
  const int error = invocation.Execute();

  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if (program->most_files >= 0) SetMostFiles(most_files);
  if (program->lock != -1) SetCloseOnExec(program->lock, true);
  if (program->lock != program->lock_number) {
    if (displaced == -1) {
      CloseDescriptor(program->lock_number);
    } else {
      dup2(displaced, program->lock_number);
      SetCloseOnExec(program->lock_number, true);
      CloseDescriptor(displaced);
    }
  }
  for (size_t index = 0; index < program->kept_count; index++) {
    SetCloseOnExec(program->kept[index], true);
  }
  for (int number = 1; number < kSignals; number++) {
    if (known[number]) sigaction(number, &saved[number], nullptr);
  }
  return error;
}

}  // namespace holdfast
