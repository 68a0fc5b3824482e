#include "record-text.h"

#include <string.h>
#include <unistd.h>

namespace holdfast {
namespace {

constexpr char kTokenHead[] = "{\"holdfast\":{\"token\":";
constexpr size_t kTokenHeadLength = sizeof kTokenHead - 1;
constexpr char kMember[] = ",\"member\":true";
constexpr int kMostDigits = 16;
// A date, a token and what stands between them.
constexpr size_t kRoom = 96;

// Appends to memory that has room for it.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}

  void Bytes(const char* bytes, size_t size) {
    if (size > 0) memcpy(at_, bytes, size);
    at_ += size;
  }
  template <size_t size>
  void Text(const char (&text)[size]) {
    Bytes(text, size - 1);
  }
  void Number(uint64_t number, int width = 1) {
    char digits[20];
    int count = 0;
    do {
      digits[count++] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    while (count < width) digits[count++] = '0';
    while (count > 0) *at_++ = digits[--count];
  }
  // As Date.prototype.toISOString has it, up to the year 9999. The calendar is
  // counted from March, so that the leap day ends a year ("chrono-Compatible
  // Low-Level Date Algorithms", Howard Hinnant, civil_from_days).
  void Date(uint64_t milliseconds) {
    const uint64_t days = milliseconds / 86400000 + 719468;
    const uint64_t era = days / 146097;
    const uint64_t day_of_era = days % 146097;
    const uint64_t year_of_era = (day_of_era - day_of_era / 1460 +
                                  day_of_era / 36524 - day_of_era / 146096) /
                                 365;
    const uint64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const uint64_t from_march = (5 * day_of_year + 2) / 153;
    const uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    Number(year_of_era + era * 400 + (month <= 2 ? 1 : 0), 4);
    Text("-");
    Number(month, 2);
    Text("-");
    Number(day_of_year - (153 * from_march + 2) / 5 + 1, 2);
    Text("T");
    const uint64_t rest = milliseconds % 86400000;
    Number(rest / 3600000, 2);
    Text(":");
    Number(rest / 60000 % 60, 2);
    Text(":");
    Number(rest / 1000 % 60, 2);
    Text(".");
    Number(rest % 1000, 3);
    Text("Z");
  }
  char* at() const { return at_; }

 private:
  char* at_;
};

}  // namespace

bool ReadLeftover(const char* content, size_t length, uint64_t* token) {
  const char* at = content;
  const char* end = content + length;
  *token = 0;
  if (length > kTokenHeadLength &&
      memcmp(at, kTokenHead, kTokenHeadLength) == 0) {
    at += kTokenHeadLength;
    int digits = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
      if (++digits > kMostDigits) return false;
      *token = *token * 10 + static_cast<uint64_t>(*at - '0');
    }
    if (digits == 0 || *token >= kLargestToken) return false;
    if (end - at < 2 || at[0] != '}' || at[1] != '}') return false;
    at += 2;
  }
  while (at < end && *at == '\n') at++;
  return at == end;
}

bool RecordText::Identify(const Buffer& head, const Buffer& tail) {
  return head_.Assign(head.data(), head.size()) &&
         tail_.Assign(tail.data(), tail.size());
}

bool RecordText::Write(const RecordFields& fields) {
  const size_t most =
      head_.size() + tail_.size() + fields.data_length + 2 * kRoom;
  if (!text_.Allocate(most) || !left_.Allocate(kRoom)) return false;
  Writer text(text_.data());
  Writer left(left_.data());
  if (fields.json) {
    text.Bytes(head_.data(), head_.size());
    text.Date(fields.since);
    text.Text("\",");
    text.Bytes(fields.data, fields.data_length);
    text.Bytes(tail_.data(), tail_.size());
    text.Number(fields.token);
    if (fields.member) text.Text(kMember);
    text.Text("}}\n");
    left.Text(kTokenHead);
    left.Number(fields.token);
    left.Text("}}\n");
  } else {
    text.Number(static_cast<uint64_t>(getpid()));
    text.Text("\n");
  }
  text_.Truncate(static_cast<size_t>(text.at() - text_.data()));
  left_.Truncate(static_cast<size_t>(left.at() - left_.data()));
  return true;
}

}  // namespace holdfast
