// What belongs to one JavaScript thread: its table of descriptors, its mailbox,
// and the commands that it runs.
#ifndef HOLDFAST_ENVIRONMENT_H_
#define HOLDFAST_ENVIRONMENT_H_

#include <errno.h>
#include <napi.h>

#include "file.h"
#include "js-mailbox.h"
#include "program.h"
#include "record-text.h"
#include "table.h"

namespace holdfast {

// How long the end of an environment waits until the descriptors of cancelled
// waits are closed.
constexpr int kCloseMilliseconds = 1000;

struct Environment;

// A command whose end JavaScript waits for.
struct RunningChild {
  Environment* environment = nullptr;
  Child* child = nullptr;
  napi_threadsafe_function function = nullptr;
  RunningChild* next = nullptr;
};

// What calls tell beside a status; src/native/binding.ts has the same.
enum Result {
  kId,
  kToken,
  kSince,
  kSize,
  kTraits,
  kPeerPid,
  kPeerUser,
  kResults
};

struct Environment {
  napi_env env = nullptr;
  // One array for all copies of the package on this thread.
  double* results = nullptr;
  napi_ref results_reference = nullptr;
  RecordText record_text;
  // The content that was read for an entry, if TypeScript has yet to see it.
  Buffer content;
  uint64_t content_of = 0;
  RunningChild* children = nullptr;
  Table table;
  JsMailbox* mailbox = new JsMailbox;
  // The answer for the last file system: locks in one folder share it.
  uint64_t known_mount = 0;
  bool known_remote = false;

  // Ends what the environment still has: descriptors that wait, that hold a
  // lock, or that were granted one of which JavaScript has not heard.
  static void End(void* argument) {
    Environment* self = static_cast<Environment*>(argument);
    self->mailbox->Close();
    while (self->children != nullptr) {
      RunningChild* running = self->children;
      self->children = running->next;
      running->child->Abandon();
      delete running;
    }
    self->table.Abandon();
    self->mailbox->AwaitClosed(kCloseMilliseconds);
    self->mailbox->Unreference();
    delete self;
  }

  // Makes End run before the hook of any thread-safe function. Hooks run last
  // in, first out, so call this after creating one.
  void EndFirst() {
    napi_remove_env_cleanup_hook(env, End, this);
    napi_add_env_cleanup_hook(env, End, this);
  }

  void Remove(RunningChild* running) {
    for (RunningChild** link = &children; *link != nullptr;
         link = &(*link)->next) {
      if (*link != running) continue;
      *link = running->next;
      return;
    }
  }

  // Opens the file at the path of a new entry and takes the entry over. An
  // errno: the entry stays the caller's.
  int Open(Entry* entry, int permissions) {
    OpenedFile opened;
    const int error = OpenLockFile(entry->path.data(), permissions, &opened);
    if (error != 0) return error;
    entry->fd = opened.fd;
    entry->read_only = opened.read_only;
    entry->file = opened.state;
    return Add(entry);
  }

  // The same for an entry with a descriptor, which is closed after an error.
  int Add(Entry* entry) {
    entry->remote = Remote(entry->fd, entry->file);
    if (table.Add(entry) != 0) return 0;
    CloseDescriptor(entry->fd);
    return ENFILE;
  }

  bool Remote(int fd, const FileState& state) {
    if (state.mount == 0) return IsRemote(fd);
    if (known_mount != state.mount) {
      known_remote = IsRemote(fd);
      known_mount = state.mount;
    }
    return known_remote;
  }
};

}  // namespace holdfast

#endif  // HOLDFAST_ENVIRONMENT_H_
