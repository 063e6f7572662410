#include "sapbuf_watchdog/segment_directory.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <sapbuf/segment.hpp>
#include <string_view>

#include "common/human.hpp"
#include "common/segment_file.hpp"

namespace sapbuf::tools {

namespace {
// Events may be lost when too many come at once.
constexpr std::chrono::seconds kLookAnyway{1};
constexpr int kRestAfterLook = 10;  // times as long as it took
constexpr int kMostReads = 16;      // of events in one go
constexpr std::size_t kMostOfOneUser = 1024;

// As the kernel will see it, whose say is final.
bool may_open(const std::string& path) { return ::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0; }

}  // namespace

Listing list_streams() {
  Listing listing;
  std::map<uid_t, std::size_t> count;
  for (const std::string& name : Segment::list()) {
    const std::string path = segment_path(name);
    struct stat file {};
    if (::lstat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
    if (!may_open(path)) {
      ++listing.foreign;
    } else if (file.st_uid != 0 && ++count[file.st_uid] > kMostOfOneUser) {
      ++listing.too_many;
    } else {
      listing.streams.push_back({name, file.st_uid});
    }
  }
  return listing;
}

void LeftOut::tell(const Listing& listing) {
  if (listing.foreign != 0 && !foreign_told_) {
    spdlog::info("not watched, because only other users may open them: {}", counted(listing.foreign, "segment"));
  }
  if (listing.too_many != 0 && !too_many_told_) {
    spdlog::warn("not watched, because one user has more than {}: {}", counted(kMostOfOneUser, "segment"),
                 counted(listing.too_many, "segment"));
  }
  foreign_told_ = listing.foreign != 0;
  too_many_told_ = listing.too_many != 0;
}

SegmentDirectory::SegmentDirectory() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  constexpr std::uint32_t kEvents = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;
  if (inotify_ && ::inotify_add_watch(inotify_.get(), kShmDirectory, kEvents) < 0) inotify_ = Descriptor{};
}

bool SegmentDirectory::is_due() {
  const Clock::time_point now = Clock::now();
  changed_ = segment_changed() || changed_;
  if (now < not_before_ || (!changed_ && now < next_)) return false;
  changed_ = false;
  next_ = now + kLookAnyway;
  return true;
}

void SegmentDirectory::looked(Clock::duration it_took) { not_before_ = Clock::now() + kRestAfterLook * it_took; }

// Other programs have files there as well: only names of segments count.
bool SegmentDirectory::segment_changed() {
  if (!inotify_) return false;
  bool changed = false;
  alignas(inotify_event) std::array<char, 16384> buffer;
  for (int reads = 0; reads < kMostReads; ++reads) {
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
  return changed;
}

}  // namespace sapbuf::tools
