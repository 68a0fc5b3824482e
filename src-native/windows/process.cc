// Windows has no signals, and its kernel does not tell which process holds a
// lock. So no holder could be verified before it is ended.
#include "../process.h"

#include <errno.h>
#include <windows.h>

#include "platform.h"

namespace holdfast {

int OpenProcess(int, int*) { return ENOTSUP; }
int SignalProcess(int, int) { return ENOTSUP; }
// Its Unix sockets do not tell who is at the other end, and Node has none.
int PeerOf(int, Peer*) { return ENOTSUP; }

void AtQuickExit(void (*)()) {}

uint64_t WallClockMicroseconds() {
  // In tenths of a microsecond since 1601.
  constexpr uint64_t kUnixEpoch = 116444736000000000;
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  const uint64_t ticks =
      static_cast<uint64_t>(now.dwHighDateTime) << 32 | now.dwLowDateTime;
  return (ticks - kUnixEpoch) / 10;
}

}  // namespace holdfast
