// Many small files at once: a call each takes longer than the reading.
#include <errno.h>
#include <string.h>

#include "addon.h"
#include "arguments.h"
#include "buffer.h"
#include "file.h"

namespace holdfast {
namespace {

int ReadFileAt(const char* path, Buffer* content, size_t* length) {
  int fd;
  int error = OpenToRead(path, &fd);
  if (error != 0) return error;
  error = ReadContent(fd, content->data(), content->size(), length);
  CloseDescriptor(fd);
  return error == 0 && *length > kRecordLimit ? EFBIG : error;
}

// The content, or the error as a negative number.
napi_value Read(napi_env env, const Buffer& folder, napi_value name,
                Buffer* path, Buffer* content) {
  Buffer text;
  size_t length = 0;
  int error = EINVAL;
  if (BytesOf(env, name, &text)) {
    error = ENOMEM;
    if (path->Allocate(folder.size() + 1 + text.size())) {
      char* at = path->data();
      memcpy(at, folder.data(), folder.size());
      at[folder.size()] = '/';
      memcpy(at + folder.size() + 1, text.data(), text.size());
      error = ReadFileAt(at, content, &length);
    }
  }
  napi_value result = nullptr;
  if (error == 0 && napi_create_string_latin1(env, content->data(), length,
                                              &result) == napi_ok) {
    return result;
  }
  napi_create_int32(env, error == 0 ? -ENOMEM : -error, &result);
  return result;
}

Napi::Value ReadFiles(const Napi::CallbackInfo& info) {
  Buffer folder;
  Buffer path;
  Buffer content;
  if (!TextAt(info, 0, &folder) || !content.Allocate(kRecordLimit + 1)) {
    return Number(info, -ENOMEM);
  }
  const Napi::Array names = info[1].As<Napi::Array>();
  const uint32_t count = LengthOf(names);
  const Napi::Array contents = Napi::Array::New(info.Env(), count);
  for (uint32_t index = 0; index < count; index++) {
    napi_value content_or_error =
        Read(info.Env(), folder, Element(names, index), &path, &content);
    napi_set_element(info.Env(), contents, index, content_or_error);
  }
  return contents;
}

}  // namespace

void ExportFolderCalls(Napi::Object exports, Environment* self) {
  Export<ReadFiles>(exports, "readFiles", self);
}

}  // namespace holdfast
