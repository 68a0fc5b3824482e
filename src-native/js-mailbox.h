// The mailbox of one JavaScript thread.
#ifndef HOLDFAST_JS_MAILBOX_H_
#define HOLDFAST_JS_MAILBOX_H_

#include <napi.h>

#include "memory.h"
#include "wait.h"

namespace holdfast {

// The hold of a settled wait has not begun: that is left to JavaScript.
constexpr int kNotBegun = -1;

// Tells JavaScript which waits have ended.
class JsMailbox : public Mailbox {
 public:
  void Post(Wait* wait) override {
    // The function ends with its environment; `open_` says whether it is still
    // there.
    bool posted = false;
    {
      MutexGuard guard(&mutex_);
      posted = open_ && napi_call_threadsafe_function(
                            function_, wait, napi_tsfn_nonblocking) == napi_ok;
    }
    if (!posted) wait->Unreference();
  }

  bool IsOpen() const { return open_; }

  // `begin` is called with `self` and the id of a wait that has settled. What
  // it returns goes to JavaScript as well.
  using Begin = int (*)(void* self, napi_env env, uint64_t id);

  bool Open(napi_env env, napi_value on_settled, Begin begin, void* self) {
    begin_ = begin;
    self_ = self;
    napi_value name;
    if (napi_create_string_latin1(env, "holdfast", NAPI_AUTO_LENGTH, &name) !=
            napi_ok ||
        napi_create_threadsafe_function(env, on_settled, nullptr, name, 0, 1,
                                        nullptr, nullptr, this, Deliver,
                                        &function_) != napi_ok) {
      return false;
    }
    // Only a pending wait keeps the program running.
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
    const uint64_t id = wait->id();
    const bool cancelled = wait->cancelled();
    wait->Unreference();
    // Without an environment Node only empties the queue.
    if (env == nullptr || callback == nullptr) return;
    JsMailbox* self = static_cast<JsMailbox*>(context);
    int status = kNotBegun;
    if (cancelled) {
      self->CountPending(env, -1);
    } else {
      status = self->begin_(self->self_, env, id);
    }
    napi_value receiver;
    napi_value arguments[2];
    if (napi_get_undefined(env, &receiver) != napi_ok ||
        napi_create_double(env, static_cast<double>(id), &arguments[0]) !=
            napi_ok ||
        napi_create_int32(env, status, &arguments[1]) != napi_ok) {
      return;
    }
    napi_call_function(env, receiver, callback, 2, arguments, nullptr);
  }

  Mutex mutex_;
  bool open_ = false;
  napi_threadsafe_function function_ = nullptr;
  int pending_ = 0;
  Begin begin_ = nullptr;
  void* self_ = nullptr;
};

}  // namespace holdfast

#endif  // HOLDFAST_JS_MAILBOX_H_
