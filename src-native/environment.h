// What belongs to one JavaScript thread: its table of descriptors, and the way
// in which waiting threads reach it.
#ifndef HOLDFAST_ENVIRONMENT_H_
#define HOLDFAST_ENVIRONMENT_H_

#include <napi.h>

#include "file.h"
#include "memory.h"
#include "program.h"
#include "table.h"
#include "wait.h"

namespace holdfast {

// How long the end of an environment waits for cancelled waits to be closed.
constexpr int kCloseMilliseconds = 1000;

// Tells JavaScript which waits have ended.
class EventLoop : public Mailbox {
 public:
  void Post(Wait* wait) override {
    // The function belongs to the environment and goes with it; `open_` says
    // whether it is still there.
    bool posted = false;
    {
      MutexGuard guard(&mutex_);
      posted = open_ && napi_call_threadsafe_function(
                            function_, wait, napi_tsfn_nonblocking) == napi_ok;
    }
    if (!posted) wait->Unreference();
  }

  bool IsOpen() const { return open_; }

  bool Open(napi_env env, napi_value on_settled) {
    napi_value name;
    if (napi_create_string_latin1(env, "holdfast", NAPI_AUTO_LENGTH, &name) !=
            napi_ok ||
        napi_create_threadsafe_function(env, on_settled, nullptr, name, 0, 1,
                                        nullptr, nullptr, this, Deliver,
                                        &function_) != napi_ok) {
      return false;
    }
    // Alive only while a wait is pending.
    napi_unref_threadsafe_function(env, function_);
    MutexGuard guard(&mutex_);
    open_ = true;
    return true;
  }

  void Close() {
    MutexGuard guard(&mutex_);
    open_ = false;
  }

  void CountPending(napi_env env, int change) {
    const int before = pending_;
    pending_ += change;
    if (before == 0) napi_ref_threadsafe_function(env, function_);
    if (pending_ == 0) napi_unref_threadsafe_function(env, function_);
  }

 private:
  static void Deliver(napi_env env, napi_value callback, void* context,
                      void* data) {
    Wait* wait = static_cast<Wait*>(data);
    const double number = static_cast<double>(wait->id());
    const bool cancelled = wait->cancelled();
    wait->Unreference();
    // Without an environment the queue is only being emptied.
    if (env == nullptr || callback == nullptr) return;
    if (cancelled) static_cast<EventLoop*>(context)->CountPending(env, -1);
    napi_value receiver;
    napi_value id;
    if (napi_get_undefined(env, &receiver) != napi_ok ||
        napi_create_double(env, number, &id) != napi_ok) {
      return;
    }
    napi_call_function(env, receiver, callback, 1, &id, nullptr);
  }

  Mutex mutex_;
  bool open_ = false;
  napi_threadsafe_function function_ = nullptr;
  int pending_ = 0;
};

struct Environment;

// A command that runs beside this thread, whose end JavaScript waits for.
struct RunningChild {
  Environment* environment = nullptr;
  Child* child = nullptr;
  napi_threadsafe_function function = nullptr;
  RunningChild* next = nullptr;
};

struct Environment {
  napi_env env = nullptr;
  RunningChild* children = nullptr;
  Table table;
  EventLoop* loop = new EventLoop;
  // The last file system looked at: locks in one folder share the answer.
  uint64_t known_mount = 0;
  bool known_remote = false;

  // Descriptors that wait, that were granted without JavaScript having heard
  // of it, or that are held: none outlives the environment.
  static void End(void* argument) {
    Environment* self = static_cast<Environment*>(argument);
    self->loop->Close();
    while (self->children != nullptr) {
      RunningChild* running = self->children;
      self->children = running->next;
      running->child->Abandon();
      delete running;
    }
    self->table.Abandon();
    self->loop->AwaitClosed(kCloseMilliseconds);
    self->loop->Unreference();
    delete self;
  }

  // Hooks run last in, first out: ours has to come before that of each
  // thread-safe function, so it is registered again behind it.
  void EndFirst() {
    napi_remove_env_cleanup_hook(env, End, this);
    napi_add_env_cleanup_hook(env, End, this);
  }

  void Forget(RunningChild* running) {
    for (RunningChild** link = &children; *link != nullptr;
         link = &(*link)->next) {
      if (*link != running) continue;
      *link = running->next;
      return;
    }
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
