// What a call from JavaScript passes (ids, numbers, texts), and what it
// returns. TypeScript has checked the types. Only what is tiny is inline: with
// the error handling of napi.h in every call, the addon would be twice its
// size.
#ifndef HOLDFAST_ARGUMENTS_H_
#define HOLDFAST_ARGUMENTS_H_

#include <napi.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "environment.h"
#include "table.h"

namespace holdfast {

inline Environment* Self(const Napi::CallbackInfo& info) {
  return static_cast<Environment*>(info.Data());
}

uint64_t IdAt(const Napi::CallbackInfo& info, size_t index);
int IntAt(const Napi::CallbackInfo& info, size_t index);
bool BoolAt(const Napi::CallbackInfo& info, size_t index);

inline Mode ModeAt(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<Mode>(IntAt(info, index));
}

// The entry whose id is the first argument; null when the id is dead.
Entry* EntryAt(const Napi::CallbackInfo& info);

// Reads a string as UTF-8, or the bytes of a Buffer: the names of files and the
// words of a command need not be UTF-8. False: neither, or out of memory.
bool BytesOf(napi_env env, napi_value value, Buffer* text);

bool TextAt(const Napi::CallbackInfo& info, size_t index, Buffer* text);

int IntOf(const Napi::Value& value);
int64_t Int64Of(const Napi::Value& value);
Napi::Value Member(const Napi::Object& object, const char* name);
Napi::Value Element(const Napi::Array& array, uint32_t index);
uint32_t LengthOf(const Napi::Array& array);

Napi::Value Undefined(const Napi::CallbackInfo& info);
Napi::Value Number(const Napi::CallbackInfo& info, double value);
Napi::Value Bool(const Napi::CallbackInfo& info, bool value);

}  // namespace holdfast

#endif  // HOLDFAST_ARGUMENTS_H_
