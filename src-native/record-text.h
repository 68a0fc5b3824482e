// The text of a record, and the content that a release leaves, for files that
// have nothing else in them. src/holders/owner-record.ts describes the format,
// and writes and reads all other cases.
#ifndef HOLDFAST_RECORD_TEXT_H_
#define HOLDFAST_RECORD_TEXT_H_

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

namespace holdfast {

// The largest integer that JavaScript has exactly.
constexpr uint64_t kLargestToken = 9007199254740991;

// True: the content is what a release leaves, newlines or a token alone, and
// the token can grow. 0: no token.
bool ReadLeftover(const char* content, size_t length, uint64_t* token);

struct RecordFields {
  bool json;  // else the pid alone
  bool member;
  uint64_t token;
  uint64_t since;  // in milliseconds of the Unix epoch
  // Members of a JSON object, each followed by a comma.
  const char* data;
  size_t data_length;
};

class RecordText {
 public:
  // The parts of a JSON record that are the same for the whole process: all up
  // to the date, and all from behind the user's fields up to the token.
  bool Identify(const Buffer& head, const Buffer& tail);

  // False: out of memory.
  bool Write(const RecordFields& fields);

  const Buffer& text() const { return text_; }
  const Buffer& left() const { return left_; }

 private:
  Buffer head_;
  Buffer tail_;
  Buffer text_;
  Buffer left_;
};

}  // namespace holdfast

#endif  // HOLDFAST_RECORD_TEXT_H_
