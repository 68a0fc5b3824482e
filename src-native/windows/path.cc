#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include "path.h"

#include <stddef.h>
#include <string.h>
#include <windows.h>

namespace holdfast {
namespace {

wchar_t* Prepend(wchar_t* text, const wchar_t* prefix, int length) {
  memcpy(text - length, prefix, static_cast<size_t>(length) * sizeof(wchar_t));
  return text - length;
}

bool IsRemoteDrive(wchar_t letter) {
  const wchar_t root[] = {letter, L':', L'\\', L'\0'};
  return GetDriveTypeW(root) == DRIVE_REMOTE;
}

}  // namespace

WidePath::WidePath(const char* path) {
  constexpr int kRoomForPrefix = 8;
  const int length = MultiByteToWideChar(CP_UTF8, 0, path, -1, nullptr, 0);
  if (length <= 0 ||
      !text_.Allocate((static_cast<size_t>(length) + kRoomForPrefix) *
                      sizeof(wchar_t))) {
    return;
  }
  wchar_t* text = reinterpret_cast<wchar_t*>(text_.data()) + kRoomForPrefix;
  if (MultiByteToWideChar(CP_UTF8, 0, path, -1, text, length) != length) {
    return;
  }
  for (wchar_t* at = text; *at != L'\0'; at++) {
    if (*at == L'/') *at = L'\\';
  }
  const bool drive = text[0] != L'\0' && text[1] == L':' && text[2] == L'\\';
  const bool share = text[0] == L'\\' && text[1] == L'\\' && text[2] != L'?' &&
                     text[2] != L'.';
  remote_ = share || (drive && IsRemoteDrive(text[0]));
  if (drive) {
    text = Prepend(text, L"\\\\?\\", 4);
  } else if (share) {
    // \\server\share: its second backslash becomes the last of the prefix.
    text = Prepend(text + 1, L"\\\\?\\UNC", 7);
  }
  start_ = text;
}

}  // namespace holdfast
