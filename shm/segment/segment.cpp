#include <sapbuf/segment.hpp>

#include <dirent.h>

#include <algorithm>

#include "platform/cancellation.hpp"
#include "platform/system_error.hpp"
#include "segment/creation.hpp"

namespace sapbuf {

using detail::IfExists;
using platform::Uncancellable;

Segment Segment::create(std::string_view name, const SegmentOptions& options) {
  const Uncancellable to_its_end;
  return Segment{detail::create_named(name, options, IfExists::fail)};
}

Segment Segment::open(std::string_view name) {
  const Uncancellable to_its_end;
  return Segment{detail::open_named(name, platform::FileAccess::read_write)};
}

Segment Segment::open_or_create(std::string_view name, const SegmentOptions& options) {
  const Uncancellable to_its_end;
  return Segment{detail::create_named(name, options, IfExists::open)};
}

bool Segment::remove(std::string_view name) {
  const Uncancellable to_its_end;
  return platform::SharedFile::remove(name);
}

std::vector<std::string> Segment::list() {
  const Uncancellable to_its_end;
  constexpr std::string_view kPrefix = "sapbuf.";
  std::vector<std::string> names;
  DIR* const directory = ::opendir("/dev/shm");
  if (directory == nullptr) {
    const int error = errno;
    if (error == ENOENT) return names;
    platform::throw_system_error(error, "cannot read /dev/shm");
  }
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view file{entry->d_name};
    if (file.size() > kPrefix.size() && file.starts_with(kPrefix)) names.emplace_back(file.substr(kPrefix.size()));
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

Segment Segment::create_in(Memory memory, const SegmentOptions& options) {
  const Uncancellable to_its_end;
  return Segment{detail::create_in_memory(memory, options)};
}

Segment Segment::open_in(Memory memory) {
  const Uncancellable to_its_end;
  return Segment{detail::open_in_memory(memory)};
}

std::size_t Segment::bytes_needed(const SegmentOptions& options) { return detail::geometry_of(options).total_bytes; }

const std::string& Segment::name() const noexcept { return core_->name(); }
SegmentOptions Segment::options() const { return detail::options_of(core_->geometry()); }
bool Segment::is_current() const noexcept { return core_->is_current(); }
std::size_t Segment::bytes() const noexcept { return core_->geometry().total_bytes; }
std::size_t Segment::max_message_bytes() const noexcept { return core_->geometry().max_payload_bytes(); }

}  // namespace sapbuf
