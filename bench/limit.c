// The limit: what the system calls of Holdfast cost without JavaScript. Each
// command here makes exactly the calls that the library makes (run.mjs has
// strace compare the two, where it is installed), and nothing else.
//
//   limit cycle FILE             counts on stdin, nanoseconds of CPU on stdout
//   limit record FILE LENGTH LEFT    the same, writing a record
//   limit holder FILE            see children/handoff-holder.mjs
//   limit waiter FILE            see children/handoff-waiter.mjs
//   limit hold PREFIX COUNT      holds PREFIX0, PREFIX1, … until stdin ends
//   limit wait PREFIX COUNT      waits for all of them, a thread each, and checks
//       each path once a second; seconds on stdin, nanoseconds of CPU on stdout
//   limit trace FILE [LENGTH LEFT]   one cycle between two marks, for strace
//
// Four threads idle beside it, as in a Node process: a descriptor costs more to
// look up where threads share the table.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kLongestSeconds = 600, kMostBytes = 64 * 1024, kIdleThreads = 4 };

static const char* path;
static size_t record_length;
static size_t left_length;
static char text[kMostBytes];
static char content[kMostBytes];

static void Check(int good, const char* what) {
  if (good) return;
  perror(what);
  _exit(1);
}

static int64_t ReadClock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t Now(void) { return ReadClock(CLOCK_MONOTONIC); }

static int64_t CpuTime(void) { return ReadClock(CLOCK_PROCESS_CPUTIME_ID); }

static void StartThread(void* (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 * 1024);
  Check(pthread_create(&thread, &attributes, body, argument) == 0, "thread");
}

static void* Idle(void* unused) {
  for (;;) {
    if (pause() == 0) return unused;
  }
}

static uint64_t Statx(int fd, const char* at, int flags) {
  struct statx buffer;
  const unsigned wanted = STATX_TYPE | STATX_INO | STATX_SIZE;
  Check(syscall(SYS_statx, fd, at, flags, wanted, &buffer) == 0, "statx");
  return buffer.stx_size;
}

static int Open(void) {
  const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const int fd = open(path, flags | O_RDWR | O_CREAT, 0600);
  Check(fd != -1, "open");
  Statx(fd, "", AT_EMPTY_PATH);
  return fd;
}

static uint64_t ComparePath(void) {
  return Statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
}

static void Release(int fd) {
  Check(flock(fd, LOCK_UN) == 0, "unlock");
  close(fd);
}

static void Cycle(void) {
  const int fd = Open();
  Check(flock(fd, LOCK_EX | LOCK_NB) == 0, "flock");
  const size_t size = (size_t)ComparePath();
  if (record_length > 0) {
    // A short read of a regular file is its end.
    Check(pread(fd, content, size + 1, 0) != -1, "pread");
    const ssize_t put = (ssize_t)record_length;
    Check(pwrite(fd, text, record_length, 0) == put, "pwrite");
    ComparePath();
    // Is the record that is to be taken out still its own?
    Check(pread(fd, content, record_length + 1, 0) == put, "pread");
    Check(pwrite(fd, text, record_length, 0) == put, "pwrite");
    Check(ftruncate(fd, (off_t)left_length) == 0, "ftruncate");
  }
  Release(fd);
}

static void Measure(void) {
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const long count = atol(line);
    const int64_t start = CpuTime();
    for (long done = 0; done < count; done++) Cycle();
    printf("%lld\n", (long long)(CpuTime() - start));
  }
}

static void Trace(void) {
  Cycle();
  Check(access("/bench-mark-begin", F_OK) == -1, "access");
  Cycle();
  Check(access("/bench-mark-end", F_OK) == -1, "access");
}

static void Holder(void) {
  char command;
  int fd = -1;
  int64_t released = 0;
  while (read(STDIN_FILENO, &command, 1) == 1) {
    if (command == 'h') {
      fd = Open();
      Check(flock(fd, LOCK_EX | LOCK_NB) == 0, "flock");
      ComparePath();
      printf("held\n");
    } else if (command == 'r') {
      released = Now();
      Release(fd);
    } else if (command == 't') {
      printf("%lld\n", (long long)released);
    }
  }
}

static void Waiter(void) {
  char command;
  while (read(STDIN_FILENO, &command, 1) == 1) {
    if (command != 'w') continue;
    const int fd = Open();
    printf("waiting\n");
    Check(flock(fd, LOCK_EX) == 0, "flock");
    ComparePath();
    const int64_t acquired = Now();
    Release(fd);
    printf("%lld\n", (long long)acquired);
  }
}

static void AllowManyFiles(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void Hold(const char* prefix, int count) {
  AllowManyFiles();
  char name[4096];
  path = name;
  for (int number = 0; number < count; number++) {
    snprintf(name, sizeof name, "%s%d", prefix, number);
    Check(flock(Open(), LOCK_EX | LOCK_NB) == 0, "flock");
  }
  printf("held\n");
  char command;
  while (read(STDIN_FILENO, &command, 1) == 1) {
  }
}

static void* WaitFor(void* fd) {
  Check(flock((int)(intptr_t)fd, LOCK_EX) == 0, "flock");
  return NULL;
}

static void Wait(const char* prefix, int count) {
  AllowManyFiles();
  char name[4096];
  path = name;
  for (int number = 0; number < count; number++) {
    snprintf(name, sizeof name, "%s%d", prefix, number);
    StartThread(WaitFor, (void*)(intptr_t)Open());
  }
  // Starting the threads is not what waiting costs.
  int64_t before;
  do {
    before = CpuTime();
    usleep(200 * 1000);
  } while (CpuTime() - before > 1000 * 1000);
  printf("waiting\n");
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const int64_t start = CpuTime();
    for (long seconds = atol(line); seconds > 0; seconds--) {
      sleep(1);
      for (int number = 0; number < count; number++) {
        snprintf(name, sizeof name, "%s%d", prefix, number);
        ComparePath();
      }
    }
    printf("%lld\n", (long long)(CpuTime() - start));
  }
}

int main(int argc, char** argv) {
  // Whatever becomes of the bench, this process does not stay.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(kLongestSeconds);
  if (argc < 3) return 64;
  setvbuf(stdout, NULL, _IOLBF, 0);
  memset(text, 'x', sizeof text);
  path = argv[2];
  const int records = argc > 4;
  if (records) {
    record_length = (size_t)atol(argv[3]);
    left_length = (size_t)atol(argv[4]);
    if (record_length > kMostBytes || left_length >= record_length) return 64;
  }
  for (int idle = 0; idle < kIdleThreads; idle++) StartThread(Idle, NULL);
  const char* command = argv[1];
  if (strcmp(command, "cycle") == 0 || strcmp(command, "record") == 0) {
    Measure();
  } else if (strcmp(command, "trace") == 0) {
    Trace();
  } else if (strcmp(command, "holder") == 0) {
    Holder();
  } else if (strcmp(command, "waiter") == 0) {
    Waiter();
  } else if (strcmp(command, "hold") == 0 && argc > 3) {
    Hold(argv[2], atoi(argv[3]));
  } else if (strcmp(command, "wait") == 0 && argc > 3) {
    Wait(argv[2], atoi(argv[3]));
  } else {
    return 64;
  }
  return 0;
}
