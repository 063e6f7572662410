#include <sapbuf/segment.hpp>
#include <sapbuf/truncation.hpp>

#include <dirent.h>

#include <algorithm>
#include <atomic>

#include "platform/cancellation.hpp"
#include "platform/system_error.hpp"
#include "segment/core_dumps.hpp"
#include "segment/creation.hpp"
#include "segment/facility.hpp"
#include "segment/segment_header.hpp"
#include "stream/stream_core.hpp"
#include "stream/stream_options.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {

namespace {
std::atomic<bool> keep_slabs_in_core_dumps{false};
}  // namespace

void set_slabs_in_core_dumps(bool keep) noexcept { keep_slabs_in_core_dumps.store(keep, std::memory_order_relaxed); }

bool detail::slabs_in_core_dumps() noexcept { return keep_slabs_in_core_dumps.load(std::memory_order_relaxed); }

using detail::IfExists;
using platform::Uncancellable;

namespace {

Segment segment_of(detail::Obtained obtained) {
  return Segment{std::move(obtained.core), obtained.created, obtained.mode};
}

}  // namespace

Segment Segment::create(std::string_view name, const SegmentOptions& options) {
  const Uncancellable to_its_end;
  return segment_of(detail::create_named(name, options, detail::plans_of(options), IfExists::fail));
}

Segment Segment::open(std::string_view name) {
  const Uncancellable to_its_end;
  return segment_of(detail::open_named(name, platform::FileAccess::read_write));
}

Segment Segment::open_or_create(std::string_view name, const SegmentOptions& options) {
  const Uncancellable to_its_end;
  return segment_of(detail::create_named(name, options, detail::plans_of(options), IfExists::open));
}

bool Segment::remove(std::string_view name) {
  const Uncancellable to_its_end;
  return platform::SharedFile::remove(name);
}

std::vector<std::string> Segment::list() {
  const Uncancellable to_its_end;
  constexpr std::string_view kPrefix = "sapbuf.";
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory{::opendir("/dev/shm"), &::closedir};
  if (directory == nullptr) {
    const int error = errno;
    if (error == ENOENT) return names;
    platform::throw_system_error(error, "cannot read /dev/shm");
  }
  for (;;) {
    errno = 0;  // tells the end from an error
    const dirent* const entry = ::readdir(directory.get());
    if (entry == nullptr && errno != 0) platform::throw_system_error(errno, "cannot read /dev/shm to its end");
    if (entry == nullptr) break;
    const std::string_view file{entry->d_name};
    if (file.size() > kPrefix.size() && file.starts_with(kPrefix)) names.emplace_back(file.substr(kPrefix.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Segment Segment::create_in(Memory memory, const SegmentOptions& options) {
  const Uncancellable to_its_end;
  return Segment{detail::create_in_memory(memory, options, detail::plans_of(options)), true};
}

Segment Segment::open_in(Memory memory) {
  const Uncancellable to_its_end;
  return Segment{detail::open_in_memory(memory)};
}

std::size_t Segment::bytes_needed(const SegmentOptions& options) {
  return detail::header::end_of_regions(detail::geometry_of(options), detail::plans_of(options));
}

const std::string& Segment::name() const { return core()->name(); }
bool Segment::created() const {
  core();
  return created_;
}
SegmentOptions Segment::options() const {
  SegmentOptions options{.participants = core()->geometry().participants,
                         .mode = mode_,
                         .fences = core()->geometry().fences,
                         .main_stream = false};
  if (const auto stream = detail::find_stream(core(), kMainStream)) {
    const StreamOptions main = detail::options_of(stream->geometry());
    options.slabs = main.slabs;
    options.slab_bytes = main.slab_bytes;
    options.order = main.order;
    options.extent_bytes = main.extent_bytes;
    options.on_full = main.on_full;
    options.retain = main.retain;
    options.attachments = main.attachments;
    options.payload_alignment = main.payload_alignment;
    options.durable_readers = main.durable_readers;
    options.main_stream = true;
  }
  return options;
}
std::vector<std::string> Segment::differences(const SegmentOptions& asked) const {
  detail::geometry_of(asked);  // throws if they cannot work
  detail::plans_of(asked);
  SegmentOptions wanted = asked;
  if (name().empty()) wanted.mode = mode_;  // the caller's memory has no mode
  return detail::differences(options(), wanted);
}
std::vector<FacilityInfo> Segment::facilities() const {
  const Uncancellable to_its_end;
  core()->check_not_forked();
  return core()->unless_truncated([&] {
    std::vector<FacilityInfo> all;
    for (const auto& record : detail::directory::list(*core())) all.push_back(detail::info_of(record));
    return all;
  });
}
bool Segment::is_current() const { return core()->is_current(); }
std::size_t Segment::bytes() const { return core()->bytes(); }
std::size_t Segment::max_message_bytes() const {
  return detail::open_stream(core(), kMainStream)->geometry().max_payload_bytes();
}

const std::shared_ptr<detail::SegmentCore>& Segment::core() const {
  if (core_ == nullptr) throw Error(Errc::invalid_argument, "this segment handle was moved from");
  return core_;
}

void survive_truncation() { platform::handle_sigbus(); }
bool was_truncated(const Segment& segment) { return segment.core()->truncated(); }

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
