// A segment: one shared-memory object, mapped into this process.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/abi.hpp>
#include <sapbuf/error.hpp>
#include <sapbuf/options.hpp>

SAPBUF_BEGIN

namespace detail {
class SegmentCore;
}

// Memory that the caller supplies instead of a POSIX shared-memory object.
//   bytes        aligned to 64 bytes; must outlive every handle; Segment::bytes_needed() says how many there must be
//   descriptor   a file or memfd that `bytes` maps from offset 0, open for writing: then processes can share it. The
//                library duplicates what it needs of it. -1: the memory belongs to this process alone (heap, stack)
// In a child made by fork, memory that came with a descriptor is replaced by private zeros at the same address, so that
// no handle that was inherited can reach the stream: map it again there.
struct Memory {
  std::span<std::byte> bytes;
  int descriptor = -1;
};

// Something that lives in a segment.
struct FacilityInfo {
  std::string kind;              // "stream", "pool", "map", "queue", "cell"; "unknown": of a newer version
  std::string name;              // unique in its segment
  std::uint64_t offset = 0;      // of its region, in bytes from the segment's beginning
  std::uint64_t bytes = 0;       // of its region
  std::uint64_t most_bytes = 0;  // that the region may grow to
  std::uint64_t created_ns = 0;  // wall clock
};

// A shared handle: copies refer to the same mapping, which lives until the last copy and the last Writer or Reader made
// from it are gone. Thread-safe. A Segment inherited through fork throws Errc::forked when it is used: open it again.
// One that was moved from throws Errc::invalid_argument, whatever it is used for, also by a Writer or Reader made from
// it.
//
// Opening a segment maps its registry for writing, and its header and directory read-only. A stream's control part is
// mapped when it is used first; its slabs when the first Writer (for writing) or the first Reader (read-only) is made, so a
// process that only reads cannot damage what others wrote.
class Segment {
 public:
  // Names have 1 to 200 bytes and no '/'; the object is /dev/shm/sapbuf.NAME.
  //
  // Makes a segment; throws Errc::exists if anything has that name, Errc::no_space if it does not fit (all space is
  // allocated now; the text names the limit, see space_limits()), Errc::permission_denied, Errc::invalid_argument for
  // options that cannot work. It gets its name when it is whole: others see all of it or nothing, and a creator that
  // fails or is killed leaves nothing.
  static Segment create(std::string_view name, const SegmentOptions& options = {});
  // Throws Errc::not_found, Errc::incompatible (also if something else than a file has the name; no link is followed),
  // Errc::corrupt or Errc::permission_denied.
  static Segment open(std::string_view name);
  // The segment as it stands if there is one (its own options count, not these: differences() tells), a new one
  // otherwise; created() says which. Throws what create and open throw. Where `options.mode` admits nobody but the
  // owner, a segment of another user (but root), or one with a second name, is refused with Errc::permission_denied:
  // anybody may have put it there.
  static Segment open_or_create(std::string_view name, const SegmentOptions& options = {});
  // Takes the name away; processes that are attached keep what they have until they let go. False if there was none.
  // Throws Errc::permission_denied, Errc::incompatible for what is no regular file.
  static bool remove(std::string_view name);
  // Names of the sapbuf segments on this host, sorted. Throws Errc::resource_exhausted.
  static std::vector<std::string> list();

  // The same on memory that the caller supplies. Creating overwrites what the memory held as far as bytes_needed()
  // goes, but throws Errc::busy where a writer or reader is attached to a segment in it. Without a descriptor, that can
  // be told of this process's own participants. What lies beyond stays: a pool that is made there finds it in its
  // buffers, whose bytes the library never reads or writes, also when the pool is removed.
  static Segment create_in(Memory memory, const SegmentOptions& options = {});
  static Segment open_in(Memory memory);
  // How many bytes a segment with these options takes; throws Errc::invalid_argument if they cannot work.
  static std::size_t bytes_needed(const SegmentOptions& options);

  const std::string& name() const;  // empty for memory that the caller supplied
  bool created() const;             // true if the call that gave this handle made the segment, false if it opened one
  // As the segment and its stream `main` were made (SegmentOptions::main_stream says whether there is one); `mode` as it was when it was opened (0600 for memory that the caller supplied).
  SegmentOptions options() const;
  // What lives in it, in the order of their places in the directory. Throws Errc::corrupt.
  std::vector<FacilityInfo> facilities() const;
  // What is otherwise than `asked`, in words: "slabs 2, not 8". Extents are compared where both have per-writer order.
  // Throws Errc::invalid_argument for options that cannot work.
  std::vector<std::string> differences(const SegmentOptions& asked) const;
  // Whether the name still refers to this very segment: false once it was removed, also if there is a new one of that
  // name by now. Those who stay attached to the old one go on among themselves, and meet nobody else; open it again by
  // its name to be where the others are. Asks the system (some microseconds). True for memory that the caller supplied.
  bool is_current() const;
  // Of memory that it takes from the system: it grows with what is made in it, and shrinks with what is removed. Of memory
  // that the caller supplied, all.
  std::size_t bytes() const;
  std::size_t max_message_bytes() const;  // of the stream `main`; throws Errc::not_found if there is none

  // For the library's own parts.
  const std::shared_ptr<detail::SegmentCore>& core() const;
  explicit Segment(std::shared_ptr<detail::SegmentCore> core, bool created = false, unsigned mode = 0600) noexcept
      : core_(std::move(core)), created_(created), mode_(mode) {}

 private:
  std::shared_ptr<detail::SegmentCore> core_;
  bool created_ = false;
  unsigned mode_ = 0600;
};

// Whether the slabs of streams and the buffers of pools that this process maps from now on stand in its core files. They
// do not by default: a process that crashes would spend seconds for each GiB of other people's messages, keeping what it
// holds all that time. Counts for named segments; of memory that was supplied with a descriptor, for slabs alone.
// Thread-safe; call it before the first Writer, Reader or PoolUser is made.
void set_slabs_in_core_dumps(bool keep) noexcept;

SAPBUF_END
