#include "sapbuf_watchdog/segment_directory.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

#include "common/segment_file.hpp"

namespace sapbuf::tools {

namespace {
// Events may be lost when too many come at once.
constexpr std::chrono::seconds kLookAnyway{1};
}  // namespace

SegmentDirectory::SegmentDirectory() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  constexpr std::uint32_t kEvents = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;
  if (inotify_ && ::inotify_add_watch(inotify_.get(), kShmDirectory, kEvents) < 0) inotify_ = Descriptor{};
}

bool SegmentDirectory::is_due() {
  const Clock::time_point now = Clock::now();
  const bool changed = segment_changed();
  if (!changed && now < next_) return false;
  next_ = now + kLookAnyway;
  return true;
}

// Other programs have files there as well: only names of segments count.
bool SegmentDirectory::segment_changed() {
  if (!inotify_) return false;
  bool changed = false;
  alignas(inotify_event) std::array<char, 16384> buffer;
  while (true) {
    const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (got <= 0) return changed;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* const name = buffer.data() + at + sizeof event;
      const bool overflow = (event.mask & IN_Q_OVERFLOW) != 0;
      if (overflow || (event.len != 0 && std::string_view{name}.starts_with(kSegmentPrefix))) changed = true;
      at += sizeof event + event.len;
    }
  }
}

}  // namespace sapbuf::tools
