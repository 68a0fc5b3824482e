#include "record.h"

#include <errno.h>
#include <string.h>

namespace holdfast {

int CheckRecord(int fd, const Buffer& record, bool* ours) {
  Buffer content;
  size_t length = 0;
  *ours = false;
  if (!content.Allocate(record.size() + 1)) return ENOMEM;
  const int error = ReadContent(fd, content.data(), record.size() + 1, &length);
  *ours = error == 0 && record.Equals(content.data(), length);
  return error;
}

int CheckUntouched(int fd, const Entry& entry, bool* untouched) {
  if (entry.record.size() != 0) {
    return CheckRecord(fd, entry.record, untouched);
  }
  // This lock wrote no record: the content is what was read last, or empty.
  Buffer content;
  size_t length = 0;
  const size_t size = static_cast<size_t>(entry.file.size);
  *untouched = false;
  if (size > kRecordLimit) return 0;
  if (!content.Allocate(size + 1)) return ENOMEM;
  const int error = ReadContent(fd, content.data(), size + 1, &length);
  *untouched = error == 0 && length == size &&
               (size == 0 || HashOf(content.data(), length) == entry.content);
  return error;
}

int WriteLeftover(int fd, Entry* entry) {
  bool touched;
  return ReplaceContent(fd, entry->left.data(), entry->left.size(),
                        entry->record.size(), &touched);
}

int Table::WriteRecord(Entry* entry, const char* text, size_t length,
                       const char* left, size_t left_length, bool guarded) {
  int error;
  bool touched;
  if (guarded) {
    PathGuard guard(entry->path.data(), PathGuard::Purpose::kRecord,
                    kGuardPatienceMs);
    if (guard.error() != 0) return guard.error();
    if (!guard.state().SameFile(entry->file)) return ESTALE;
    error =
        ReplaceContent(guard.fd(), text, length, guard.state().size, &touched);
  } else {
    error = ReplaceContent(entry->fd, text, length, entry->file.size, &touched);
  }
  if (error != 0) {
    // The disk may have become full in the middle of a long record. What goes
    // back is short or was there before, so there is room for it.
    const bool had = entry->record.size() != 0;
    const char* back = had ? entry->record.data() : left;
    const size_t size = had ? entry->record.size() : left_length;
    FileState now;
    if (touched && StateOfDescriptor(entry->fd, &now) == 0) {
      ReplaceContent(entry->fd, back, size, now.size, &touched);
    }
    return error;
  }
  entry->file.size = length;
  MutexGuard guard(&mutex_);
  if (!entry->record.Allocate(length) || !entry->left.Allocate(left_length)) {
    return ENOMEM;
  }
  memcpy(entry->record.data(), text, length);
  memcpy(entry->left.data(), left, left_length);
  return 0;
}

int Table::ClearRecord(Entry* entry) {
  if (entry->record.size() == 0) return 0;
  // A program that takes no lock may have written its own content.
  bool ours;
  const int error = CheckRecord(entry->fd, entry->record, &ours);
  return error == 0 && ours ? RemoveRecord(entry) : error;
}

int Table::RemoveRecord(Entry* entry) {
  if (entry->record.size() == 0) return 0;
  const int error = WriteLeftover(entry->fd, entry);
  // The record is still in the file, so the release tries again.
  if (error != 0) return error;
  entry->file.size = entry->left.size();
  MutexGuard guard(&mutex_);
  entry->record.Truncate(0);
  return 0;
}

}  // namespace holdfast
