// The record in the file.
#include <errno.h>

#include "addon.h"
#include "arguments.h"
#include "buffer.h"
#include "file.h"

namespace holdfast {
namespace {

Napi::Value TextOf(const Napi::CallbackInfo& info, const char* bytes,
                   size_t size) {
  napi_value text;
  if (napi_create_string_utf8(info.Env(), bytes, size, &text) != napi_ok) {
    return Number(info, -ENOMEM);
  }
  return Napi::Value(info.Env(), text);
}

Napi::Value Read(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, -EBADF);
  Environment* self = Self(info);
  Buffer& content = self->content;
  if (self->content_of == entry->id) {
    // Begin() has just read it.
    self->content_of = 0;
    return TextOf(info, content.data(), content.size());
  }
  self->content_of = 0;
  size_t length;
  const size_t size = static_cast<size_t>(
      entry->file.size < kRecordLimit ? entry->file.size : kRecordLimit);
  if (!content.Allocate(size + 1)) return Number(info, -ENOMEM);
  int error = ReadContent(entry->fd, content.data(), size + 1, &length);
  if (error == 0 && length > size) {
    // The file has grown since its size was read.
    if (!content.Allocate(kRecordLimit + 1)) return Number(info, -ENOMEM);
    error = ReadContent(entry->fd, content.data(), kRecordLimit + 1, &length);
  }
  if (error != 0) return Number(info, -error);
  entry->content = HashOf(content.data(), length);
  return TextOf(info, content.data(), length);
}

Napi::Value Write(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  Buffer text;
  Buffer left;
  if (entry == nullptr) return Number(info, EBADF);
  if (!TextAt(info, 1, &text) || !TextAt(info, 2, &left)) {
    return Number(info, EINVAL);
  }
  return Number(info, Self(info)->table.WriteRecord(
                          entry, text.data(), text.size(), left.data(),
                          left.size(), BoolAt(info, 3)));
}

Napi::Value Clear(const Napi::CallbackInfo& info) {
  Entry* entry = EntryAt(info);
  if (entry == nullptr) return Number(info, EBADF);
  return Number(info, Self(info)->table.ClearRecord(entry));
}

}  // namespace

void ExportRecordCalls(Napi::Object exports, Environment* self) {
  Export<Read>(exports, "read", self);
  Export<Write>(exports, "write", self);
  Export<Clear>(exports, "clear", self);
}

}  // namespace holdfast
