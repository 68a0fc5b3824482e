// What /proc says, many files in one call: each file that JavaScript reads at
// the start of a process takes longer than all of them do here.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../addon.h"
#include "../arguments.h"
#include "../buffer.h"

namespace holdfast {
namespace {

constexpr size_t kUsualText = 16 * 1024;
// The status of a process has a line with up to 65,536 groups.
constexpr size_t kLongestText = 1024 * 1024;
constexpr size_t kLongestTarget = 128;

// As the kernel writes it. The types of C libraries differ on 32 bits.
struct FolderEntry {
  uint64_t inode;
  int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[];
};

size_t ReadFile(const char* path, Buffer* text) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd == -1) return 0;
  size_t length = 0;
  for (;;) {
    const size_t size = text->size();
    if (length == size && (size >= kLongestText || !text->Allocate(size * 2))) {
      break;
    }
    const ssize_t got = read(fd, text->data() + length, text->size() - length);
    if (got == -1 && errno == EINTR) continue;
    if (got <= 0) break;
    length += static_cast<size_t>(got);
  }
  close(fd);
  return length;
}

// The target of a link, or the content of a file.
size_t LookAt(const char* path, Buffer* text) {
  const ssize_t length = readlink(path, text->data(), text->size());
  return length >= 0 ? static_cast<size_t>(length) : ReadFile(path, text);
}

// (paths)
Napi::Value Look(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Array paths = info[0].As<Napi::Array>();
  const uint32_t count = LengthOf(paths);
  napi_value texts;
  napi_create_array_with_length(env, count, &texts);
  Buffer path;
  Buffer text;
  const bool allocated = text.Allocate(kUsualText);
  for (uint32_t index = 0; index < count; index++) {
    const bool readable =
        allocated && BytesOf(env, Element(paths, index), &path);
    const size_t length = readable ? LookAt(path.data(), &text) : 0;
    napi_value value;
    napi_create_string_latin1(env, text.data(), length, &value);
    napi_set_element(env, texts, index, value);
  }
  return Napi::Value(env, texts);
}

struct Description {
  int folder;
  bool own;
  Buffer* lines;
  size_t length = 0;

  // "3 2 pipe:[5]\n": the number, 1 for close-on-exec and 2 for O_NONBLOCK, and
  // the target unless it is a path.
  bool Add(const char* name) {
    char target[kLongestTarget];
    const ssize_t length_read = readlinkat(folder, name, target, sizeof target);
    if (length_read <= 0) return true;
    const bool is_path = target[0] == '/';
    const int size = is_path ? 0 : static_cast<int>(length_read);
    int flags = 0;
    if (own) {
      const int fd = static_cast<int>(strtol(name, nullptr, 10));
      if (fd == folder) return true;
      const int status = fcntl(fd, F_GETFL);
      flags = ((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 ? 1 : 0) |
              (status != -1 && (status & O_NONBLOCK) != 0 ? 2 : 0);
    }
    const size_t needed = length + kLongestTarget + 32;
    if (needed > lines->size() && !lines->Allocate(needed * 2)) return false;
    length += static_cast<size_t>(
        snprintf(lines->data() + length, lines->size() - length, "%s %d %.*s\n",
                 name, flags, size, target));
    return true;
  }
};

// False: out of memory. All names that can be read are added.
bool AddAll(Description* description, int most) {
  alignas(FolderEntry) char names[4096];
  for (int seen = 0; seen < most;) {
    const long size =
        syscall(SYS_getdents64, description->folder, names, sizeof names);
    if (size <= 0) return true;
    for (long at = 0; at < size && seen < most;) {
      const auto* entry = reinterpret_cast<const FolderEntry*>(names + at);
      at += entry->size;
      if (entry->name[0] == '.') continue;
      seen++;
      if (!description->Add(entry->name)) return false;
    }
  }
  return true;
}

// (pid, most): 0 means this process.
Napi::Value Descriptors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int pid = IntAt(info, 0);
  char path[32] = "/proc/self/fd";
  if (pid != 0) snprintf(path, sizeof path, "/proc/%d/fd", pid);
  Buffer lines;
  Description description{open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                          pid == 0, &lines};
  if (description.folder != -1) {
    AddAll(&description, IntAt(info, 1));
    close(description.folder);
  }
  napi_value value;
  napi_create_string_latin1(env, lines.data(), description.length, &value);
  return Napi::Value(env, value);
}

}  // namespace

void ExportLookCalls(Napi::Object exports, Environment* self) {
  Export<Look>(exports, "look", self);
  Export<Descriptors>(exports, "descriptors", self);
}

}  // namespace holdfast
