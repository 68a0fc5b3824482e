// The environment variables and limits that a program inherits. Each system and
// C library has its own names for them.
#ifndef HOLDFAST_POSIX_SURROUNDINGS_H_
#define HOLDFAST_POSIX_SURROUNDINGS_H_

#include <stdint.h>

#if defined(__APPLE__)
#include <crt_externs.h>
#include <sys/resource.h>
#else
#include <sys/syscall.h>
#include <unistd.h>

extern "C" char** environ;
#endif

namespace holdfast {

#if defined(__APPLE__)

inline char** Environ() { return *_NSGetEnviron(); }
// Only a program that runs beside this process gets another limit, and on macOS
// Node starts such a program.
inline int64_t MostFiles() { return -1; }
inline void SetMostFiles(int64_t) {}

#else

inline char** Environ() { return environ; }

// prlimit(2) is the same on 32 and on 64 bits.
struct FileLimit {
  uint64_t soft;
  uint64_t hard;
};
constexpr int kOpenFilesResource = 7;

inline bool ReadFileLimit(FileLimit* limit) {
  return syscall(SYS_prlimit64, 0, kOpenFilesResource, nullptr, limit) == 0;
}

// The soft limit of open files.
inline int64_t MostFiles() {
  FileLimit limit;
  return ReadFileLimit(&limit) ? static_cast<int64_t>(limit.soft) : -1;
}

inline void SetMostFiles(int64_t soft) {
  FileLimit limit;
  if (soft < 0 || !ReadFileLimit(&limit)) return;
  limit.soft = static_cast<uint64_t>(soft);
  syscall(SYS_prlimit64, 0, kOpenFilesResource, &limit, nullptr);
}

#endif

}  // namespace holdfast

#endif  // HOLDFAST_POSIX_SURROUNDINGS_H_
