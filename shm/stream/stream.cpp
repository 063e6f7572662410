#include <sapbuf/stream.hpp>

#include "platform/cancellation.hpp"
#include "segment/recovery.hpp"
#include "stream/durable_readers.hpp"
#include "stream/stream_core.hpp"
#include "stream/stream_options.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {

using platform::Uncancellable;

Stream::Stream(Segment segment, std::shared_ptr<detail::StreamCore> core, bool created) noexcept
    : segment_(std::move(segment)), core_(std::move(core)), created_(created) {}

Stream Stream::create(const Segment& segment, std::string_view name, const StreamOptions& options) {
  const Uncancellable to_its_end;
  const std::shared_ptr<detail::SegmentCore>& core = segment.core();
  return core->unless_truncated([&] {
    const detail::FacilityPlan plan = detail::plan_stream(name, options, core->geometry().participants);
    detail::directory::make(*core, plan);
    return Stream{segment, detail::open_stream(core, name), true};
  });
}

Stream Stream::open(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] {
    return Stream{segment, detail::open_stream(segment.core(), name), false};
  });
}

Stream Stream::open_or_create(const Segment& segment, std::string_view name, const StreamOptions& options) {
  const Uncancellable to_its_end;
  const auto find = [&]() -> std::optional<Stream> {
    auto there = detail::find_stream(segment.core(), name);
    return there ? std::optional(Stream{segment, std::move(there), false}) : std::nullopt;
  };
  return detail::find_or_create(find, [&] { return create(segment, name, options); });
}

bool Stream::remove(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] { return detail::directory::remove(*segment.core(), name); });
}

const std::string& Stream::name() const { return core()->record().name; }
bool Stream::created() const {
  core();
  return created_;
}
StreamOptions Stream::options() const { return detail::options_of(core()->geometry()); }
std::vector<std::string> Stream::differences(const StreamOptions& asked) const {
  detail::geometry_of(asked, core()->geometry().participants);  // throws if they cannot work
  return detail::differences(options(), asked);
}
bool Stream::is_current() const { return core()->is_current(); }
std::size_t Stream::bytes() const { return core()->geometry().bytes; }
std::size_t Stream::max_message_bytes() const { return core()->geometry().max_payload_bytes(); }

std::vector<DurableReaderInfo> Stream::durable_readers() const {
  const Uncancellable to_its_end;
  return core()->segment().unless_truncated([&] {
    core()->check_not_forked();
    core()->check_not_removed();
    return detail::list_durable(*core(), detail::CountBehind::yes);
  });
}

bool Stream::remove_durable_reader(std::string_view name) const {
  const Uncancellable to_its_end;
  return core()->segment().unless_truncated([&] {
    core()->check_not_forked();
    return detail::remove_durable(*core(), name);
  });
}

const std::shared_ptr<detail::StreamCore>& Stream::core() const {
  if (core_ == nullptr) throw Error(Errc::invalid_argument, "this stream handle was moved from");
  return core_;
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
