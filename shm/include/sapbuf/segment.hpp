// A segment: one shared-memory object, mapped into this process.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/error.hpp>
#include <sapbuf/options.hpp>

namespace sapbuf {

namespace detail {
class SegmentCore;
}

// Memory that the caller supplies instead of a POSIX shared-memory object.
//   bytes        aligned to 64 bytes; must outlive every handle; `SegmentOptions` says how much is needed (see
//   bytes_needed) descriptor   a file or memfd that `bytes` maps from offset 0, open for writing: then processes can
//   share it. The
//                library duplicates what it needs of it. -1: the memory belongs to this process alone (heap, stack)
// In a child made by fork, memory that came with a descriptor is replaced by private zeros at the same address, so that
// no handle that was inherited can reach the stream: map it again there.
struct Memory {
  std::span<std::byte> bytes;
  int descriptor = -1;
};

// A shared handle: copies refer to the same mapping, which lives until the last copy and the last Writer or Reader made
// from it are gone. Thread-safe. A Segment inherited through fork throws Errc::forked when it is used: open it again.
//
// Opening a segment maps its control region for writing; the slabs are mapped when the first Writer (for writing) or
// the first Reader (read-only) is made, so a process that only reads cannot damage what others wrote.
class Segment {
 public:
  // Names have 1 to 200 bytes and no '/'; the object is /dev/shm/sapbuf.NAME.
  //
  // Makes a segment; throws Errc::exists if there is one, Errc::no_space if /dev/shm cannot hold it (all space is
  // allocated now), Errc::invalid_argument for options that cannot work. A creator that is killed leaves nothing that
  // would stop the next one.
  static Segment create(std::string_view name, const SegmentOptions& options = {});
  // Throws Errc::not_found, Errc::incompatible, Errc::corrupt or Errc::permission_denied.
  static Segment open(std::string_view name);
  // The segment as it stands if there is one (its own options count, not these), a new one otherwise.
  static Segment open_or_create(std::string_view name, const SegmentOptions& options = {});
  // Takes the name away; processes that are attached keep what they have until they let go. False if there was none.
  static bool remove(std::string_view name);
  // Names of the sapbuf segments on this host, sorted. Throws Errc::resource_exhausted.
  static std::vector<std::string> list();

  // The same on memory that the caller supplies. Creating overwrites whatever the memory held.
  static Segment create_in(Memory memory, const SegmentOptions& options = {});
  static Segment open_in(Memory memory);
  // How many bytes a segment with these options takes; throws Errc::invalid_argument if they cannot work.
  static std::size_t bytes_needed(const SegmentOptions& options);

  const std::string& name() const noexcept;  // empty for memory that the caller supplied
  SegmentOptions options() const;  // as the segment was made; `mode` is not known any more and has its default
  // Whether the name still refers to this very segment: false once it was removed, also if there is a new one of that
  // name by now. Those who stay attached to the old one go on among themselves, and meet nobody else; open it again by
  // its name to be where the others are. Asks the system (some microseconds). True for memory that the caller supplied.
  bool is_current() const noexcept;
  std::size_t bytes() const noexcept;
  std::size_t max_message_bytes() const noexcept;

  // For the library's own parts.
  const std::shared_ptr<detail::SegmentCore>& core() const noexcept { return core_; }
  explicit Segment(std::shared_ptr<detail::SegmentCore> core) noexcept : core_(std::move(core)) {}

 private:
  std::shared_ptr<detail::SegmentCore> core_;
};

}  // namespace sapbuf
