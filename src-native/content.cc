// Replacing the content of a file, the same on every platform.
#include <errno.h>
#include <string.h>

#include "file.h"

namespace holdfast {

int ReplaceContent(int fd, const char* text, size_t length, uint64_t old_size,
                   bool* touched) {
  *touched = false;
  const char* bytes = text;
  size_t total = length;
  Buffer padded;
  if (old_size > length && old_size <= kRecordLimit) {
    total = static_cast<size_t>(old_size);
    if (!padded.Allocate(total)) return ENOMEM;
    memcpy(padded.data(), text, length);
    memset(padded.data() + length, '\n', total - length);
    bytes = padded.data();
  }
  size_t written = 0;
  while (written < total) {
    size_t put = 0;
    const int error =
        WriteAt(fd, bytes + written, total - written, written, &put);
    if (error != 0) return error;
    if (put == 0) return EIO;
    written += put;
    *touched = true;
  }
  return old_size <= length ? 0 : Truncate(fd, length);
}

}  // namespace holdfast
