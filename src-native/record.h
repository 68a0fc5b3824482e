// The record that a lock has written into its file: whether it is still there,
// and replacing it. Table::WriteRecord and its siblings are in record.cc.
//
// Before each write there, one of the two checks runs here, or TypeScript has
// checked the content (src/lock/hold.ts): nothing that somebody else wrote is
// overwritten or cut off.
#ifndef HOLDFAST_RECORD_H_
#define HOLDFAST_RECORD_H_

#include "buffer.h"
#include "table.h"

namespace holdfast {

// How long to try for the guard of the path.
constexpr int kGuardPatienceMs = 100;

// Whether the content is still what this lock wrote. A process that took over
// the lock writes a record of its own.
int CheckRecord(int fd, const Buffer& record, bool* ours);

// Whether nobody else has written into the file since this lock wrote its
// record or, without a record, read the content.
int CheckUntouched(int fd, const Entry& entry, bool* untouched);

// Replaces the record with the content that the release leaves in the file.
int WriteLeftover(int fd, Entry* entry);

}  // namespace holdfast

#endif  // HOLDFAST_RECORD_H_
