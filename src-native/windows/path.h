// Paths of Windows.
#ifndef HOLDFAST_WINDOWS_PATH_H_
#define HOLDFAST_WINDOWS_PATH_H_

#include "../buffer.h"

namespace holdfast {

// A path in the form that the system takes: UTF-16, with the prefix that lifts
// the limit of 260 characters, as in node:fs. It must be absolute; every path
// from JavaScript is.
class WidePath {
 public:
  explicit WidePath(const char* path);

  // Null: out of memory, or not UTF-8.
  const wchar_t* get() const { return start_; }
  bool remote() const { return remote_; }

 private:
  Buffer text_;
  wchar_t* start_ = nullptr;
  bool remote_ = false;
};

}  // namespace holdfast

#endif  // HOLDFAST_WINDOWS_PATH_H_
