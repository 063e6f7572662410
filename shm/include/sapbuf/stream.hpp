// A stream: one of the facilities that a segment can hold.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/abi.hpp>
#include <sapbuf/options.hpp>
#include <sapbuf/segment.hpp>

SAPBUF_BEGIN

namespace detail {
class StreamCore;
}

// A reader whose place stays in its stream when it detaches or dies: see ReaderOptions::durable.
struct DurableReaderInfo {
  std::string name;
  std::optional<std::uint32_t> slot;  // of the reader that is attached by that name; nothing: it is away
  // Since it left or died, in milliseconds. Nothing while it is attached, and on the clock of another time namespace.
  std::optional<std::uint64_t> away_ms;
  std::uint64_t kept_bytes = 0;       // of slabs, that are kept for it while it is away
  std::uint64_t behind_messages = 0;  // that stand there, and that it has still to come to
  std::uint64_t behind_bytes = 0;     // of their payload
  DurableOptions limits;
};

// A shared handle, like Segment: copies refer to the same mapping, which lives until the last copy, and the last Writer
// or Reader made from it, is gone. Thread-safe. One that was moved from throws Errc::invalid_argument.
//
// A segment has a stream named `main` unless it was made without (SegmentOptions::main_stream); Writer{segment} and
// Reader{segment} use that one. Others are made, opened and removed by their names while the segment is in use.
class Stream {
 public:
  // Names have 1 to 63 bytes: letters, digits and . _ -
  //
  // Makes a stream in a segment, which grows for it: its space is allocated now. Throws Errc::exists if the segment has
  // something of that name, Errc::no_space, Errc::invalid_argument for options that cannot work, Errc::registry_full if
  // it has 64 facilities, Errc::busy if somebody is making or removing one and does not come to an end. Whoever is
  // killed while making one leaves nothing.
  static Stream create(const Segment& segment, std::string_view name, const StreamOptions& options = {});
  // Throws Errc::not_found, Errc::incompatible, Errc::corrupt.
  static Stream open(const Segment& segment, std::string_view name = kMainStream);
  // The stream as it stands if there is one (differences() tells), a new one otherwise; created() says which.
  static Stream open_or_create(const Segment& segment, std::string_view name, const StreamOptions& options = {});
  // Gives the stream's space back to the system. Throws Errc::busy while live participants use it; what the dead held is
  // taken back first. False if there was none. A Stream, Writer or Reader that refers to it throws Errc::not_found from
  // then on when something is to be attached.
  static bool remove(const Segment& segment, std::string_view name);

  const Segment& segment() const noexcept { return segment_; }
  const std::string& name() const;
  bool created() const;  // true if the call that gave this handle made the stream
  StreamOptions options() const;
  // What is otherwise than `asked`, in words: "slabs 2, not 8". Extents are compared where both have per-writer order.
  std::vector<std::string> differences(const StreamOptions& asked) const;
  // False once the stream was removed, or its segment (see Segment::is_current).
  bool is_current() const;
  std::size_t bytes() const;  // of its region
  std::size_t max_message_bytes() const;

  // In no order; nothing is attached, nothing is written. Throws Errc::forked, Errc::resource_exhausted.
  std::vector<DurableReaderInfo> durable_readers() const;
  // Forgets where that one is, and lets go of what was kept for it. False if there is none of that name. Throws Errc::busy
  // if a reader is attached by that name.
  bool remove_durable_reader(std::string_view name) const;

  // For the library's own parts.
  const std::shared_ptr<detail::StreamCore>& core() const;
  Stream(Segment segment, std::shared_ptr<detail::StreamCore> core, bool created) noexcept;

 private:
  Segment segment_;
  std::shared_ptr<detail::StreamCore> core_;
  bool created_ = false;
};

SAPBUF_END
