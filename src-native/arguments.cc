#include "arguments.h"

#include <string.h>

namespace holdfast {
namespace {

bool BufferAt(napi_env env, napi_value value, Buffer* text) {
  bool is_buffer = false;
  void* bytes;
  size_t size;
  if (napi_is_buffer(env, value, &is_buffer) != napi_ok || !is_buffer ||
      napi_get_buffer_info(env, value, &bytes, &size) != napi_ok ||
      !text->Allocate(size)) {
    return false;
  }
  if (size > 0) memcpy(text->data(), bytes, size);
  return true;
}

}  // namespace

Napi::Value Member(const Napi::Object& object, const char* name) {
  return object.Get(name);
}

uint32_t LengthOf(const Napi::Array& array) { return array.Length(); }

Napi::Value Element(const Napi::Array& array, uint32_t index) {
  return array.Get(index);
}

uint64_t IdAt(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<uint64_t>(Int64Of(info[index]));
}

int IntOf(const Napi::Value& value) {
  return value.As<Napi::Number>().Int32Value();
}

int64_t Int64Of(const Napi::Value& value) {
  return value.As<Napi::Number>().Int64Value();
}

int IntAt(const Napi::CallbackInfo& info, size_t index) {
  return IntOf(info[index]);
}

bool BoolAt(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Boolean>().Value();
}

Entry* EntryAt(const Napi::CallbackInfo& info) {
  return Self(info)->table.Find(IdAt(info, 0));
}

bool BytesOf(napi_env env, napi_value value, Buffer* text) {
  // Most texts are short, and then one call both measures and copies.
  constexpr size_t kGuess = 512;
  size_t length;
  if (!text->Allocate(kGuess)) return false;
  const napi_status status =
      napi_get_value_string_utf8(env, value, text->data(), kGuess + 1, &length);
  if (status == napi_string_expected) return BufferAt(env, value, text);
  if (status != napi_ok) return false;
  if (length + 4 > kGuess) {
    if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) !=
            napi_ok ||
        !text->Allocate(length) ||
        napi_get_value_string_utf8(env, value, text->data(), length + 1,
                                   &length) != napi_ok) {
      return false;
    }
  }
  text->Truncate(length);
  return true;
}

bool TextAt(const Napi::CallbackInfo& info, size_t index, Buffer* text) {
  return BytesOf(info.Env(), info[index], text);
}

Napi::Value Undefined(const Napi::CallbackInfo& info) {
  return info.Env().Undefined();
}

Napi::Value Number(const Napi::CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}

Napi::Value Bool(const Napi::CallbackInfo& info, bool value) {
  return Napi::Boolean::New(info.Env(), value);
}

}  // namespace holdfast
