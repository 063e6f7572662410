// A mapped segment: where everything is. What the bytes mean is in layout/; what is done with them, in stream/ and in
// the other files of this folder.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sapbuf/layout/header.hpp>
#include <sapbuf/segment.hpp>

#include "platform/cancellation.hpp"
#include "platform/fork_guard.hpp"
#include "platform/lock_file.hpp"
#include "platform/mapping.hpp"
#include "platform/shared_file.hpp"
#include "platform/truncation_guard.hpp"

namespace SAPBUF_DETAIL {

class Facility;
class SegmentCore;

// A part of a segment that this process has mapped, or that stands in memory which the caller supplied.
class MappedRange {
 public:
  // At a multiple of `alignment`; supplied memory is where it is. Throws Error (resource_exhausted).
  std::byte* map(SegmentCore& segment, platform::FileAccess access, std::uint64_t offset, std::uint64_t bytes,
                 platform::Dump dump, std::uint64_t alignment = 1);
  // The same, with addresses for the `most_bytes` that the range may grow to: pages behind the end of the file become
  // valid when it is extended. Where the system refuses so many addresses, it is mapped as it is: see reach().
  std::byte* map_growing(SegmentCore& segment, platform::FileAccess access, std::uint64_t offset, std::uint64_t bytes,
                         std::uint64_t most_bytes, platform::Dump dump, std::uint64_t alignment = 1);
  // Bytes from its beginning that this process can address.
  std::uint64_t reach() const noexcept { return bytes_; }
  // See Facility::tell_of_truncation. Async-signal-safe.
  bool replace_by_zeros() noexcept;

 private:
  platform::Mapping mapping_;
  platform::GuardedRange guard_;              // behind the mapping: forgotten before that is unmapped
  std::atomic<std::byte*> address_{nullptr};  // null: not mapped, or not this object's
  std::uint64_t bytes_ = 0;
};

// One that is mapped when it is first asked for. Thread-safe.
class MappedOnDemand {
 public:
  // `map(range)` maps it, and returns its address; it may throw.
  template <typename Map>
  std::byte* get(Map map) {
    std::byte* address = address_.load(std::memory_order_acquire);
    if (address != nullptr) return address;
    const std::lock_guard guard{mutex_};
    address = address_.load(std::memory_order_relaxed);
    if (address == nullptr) {
      address = map(range_);
      address_.store(address, std::memory_order_release);
    }
    return address;
  }
  bool replace_by_zeros() noexcept { return range_.replace_by_zeros(); }

 private:
  std::mutex mutex_;
  MappedRange range_;
  std::atomic<std::byte*> address_{nullptr};
};

// What all facilities of a segment have in common: its file or memory, locks, directory and registry. Thread-safe but for
// what callers do with the words. Everything that is read from shared memory and decides an address is taken from
// `geometry()`, or from a checked copy of a directory entry.
class SegmentCore final : public platform::ForkWatcher, platform::TruncationTarget {
 public:
  // A named object whose header was validated; `access` read_only is for looking on only. The file is needed no longer
  // than this takes.
  SegmentCore(std::string name, const platform::SharedFile& file, const layout::SegmentHeader& header,
              platform::FileAccess access);
  // Memory that the caller supplies, with a descriptor for the locks; `lock_owner` is kept as long as the core.
  SegmentCore(Memory memory, int lock_descriptor, std::shared_ptr<const void> lock_owner,
              const layout::SegmentHeader& header);
  SegmentCore(const SegmentCore&) = delete;
  SegmentCore& operator=(const SegmentCore&) = delete;
  ~SegmentCore();

  const std::string& name() const noexcept { return name_; }
  const layout::SegmentGeometry& geometry() const noexcept { return geometry_; }
  std::uint64_t creation_id() const noexcept { return creation_id_; }
  std::uint64_t created_at_ns() const noexcept { return created_at_ns_; }
  platform::FileAccess access() const noexcept { return access_; }
  bool is_current() const noexcept;  // see Segment
  // Of the file, or the memory: now, if that can be told; or when it could last be told.
  std::optional<std::uint64_t> end_now() const noexcept;
  std::uint64_t end() const noexcept;
  // That it takes from the system: not what regions may yet grow to, nor what was given back. Of supplied memory, all.
  std::uint64_t bytes() const noexcept;
  bool full_fences() const noexcept { return geometry_.fences == Fences::full; }
  platform::LockFile& locks() noexcept { return locks_; }

  layout::Control& control() noexcept { return at<layout::Control>(geometry_.control_at); }
  const layout::Directory& directory() const noexcept {
    return *reinterpret_cast<const layout::Directory*>(base_ + geometry_.directory_at);
  }
  layout::ParticipantSlot& participant(std::uint32_t slot) noexcept {
    return at<layout::ParticipantSlot>(geometry_.slots_at + slot * sizeof(layout::ParticipantSlot));
  }
  // One past the highest slot in use so far; never more than there are.
  std::uint32_t high_slot() noexcept;

  // The registration of that slot whose owner this process knows to have ended, though the kernel still holds its lock; 0 if
  // there is none. Private to this process: it believes no proof but its own.
  std::atomic<std::uint64_t>& ended_registration(std::uint32_t slot) noexcept { return ended_registrations_[slot]; }
  // When this process last looked for such owners, on the monotonic clock.
  std::atomic<std::uint64_t>& looked_for_ended_ns() noexcept { return looked_for_ended_ns_; }

  // Memory that the caller supplied: its address at an offset. Null for a file.
  std::byte* supplied(std::uint64_t offset) const noexcept { return supplied_ ? base_ + offset : nullptr; }
  // Makes a part of the segment usable, zeroed if it was never used; and gives its pages back, to be used anew. Throws
  // Error (no_space). Supplied memory keeps its pages, and what stands in them.
  void allocate(std::uint64_t offset, std::uint64_t bytes);
  void give_back(std::uint64_t offset, std::uint64_t bytes);
  // Makes a part of supplied memory zero, as far as it goes; a file's pages were when they were allocated.
  void zero_supplied(std::uint64_t offset, std::uint64_t bytes) noexcept;
  // Whether it is supplied memory that other processes may have, too.
  bool is_shared_memory() const noexcept { return supplied_ && common_region_.data() != nullptr; }
  // The directory, to be written; it is mapped for as long as `write` takes. Throws Error.
  void with_writable_directory(const std::function<void(layout::Directory&)>& write);

  // Facilities that are open in this process; opening one is guarded by the mutex.
  std::mutex& facilities_mutex() noexcept { return facilities_mutex_; }
  std::map<std::uint32_t, std::shared_ptr<Facility>>& facilities() noexcept { return facilities_; }
  // Control::directory_changes, plus one, when all facilities were opened in this process; 0 if they never were.
  std::atomic<std::uint64_t>& opened_all_at() noexcept { return opened_all_at_; }
  // Those that must be told when the file is truncated, from their first mapping to their last. Throws Error.
  void begin_to_tell(Facility& facility);
  void end_to_tell(Facility& facility) noexcept;

  bool forked() const noexcept { return forked_; }
  void check_not_forked() const;

  // Whether this process has met a page of the segment that is gone, and survived (see <sapbuf/truncation.hpp>).
  bool truncated() const noexcept { return truncated_.load(std::memory_order_relaxed); }
  void check_not_truncated() const;
  // Runs `call`, which throws Error or returns something. What it found in a segment that is truncated by the end of it
  // is worth nothing: then this throws Errc::corrupt.
  template <typename Call>
  auto unless_truncated(Call call) const {
    try {
      auto result = call();
      check_not_truncated();
      return result;
    } catch (const Error&) {
      check_not_truncated();
      throw;
    }
  }

 private:
  friend class MappedRange;
  struct EndTelling;

  void after_fork_in_child() noexcept override { forked_ = true; }
  bool on_truncation() noexcept override;
  void watch();

  template <typename T>
  T& at(std::uint64_t offset) noexcept {
    return *reinterpret_cast<T*>(base_ + offset);
  }

  platform::UncancellableFromNow until_closed_;  // first: the others close descriptors when they go
  const std::string name_;
  const layout::SegmentGeometry geometry_;
  const std::uint64_t creation_id_;
  const std::uint64_t created_at_ns_;
  const platform::FileAccess access_;
  const std::shared_ptr<const void> lock_owner_;
  platform::LockFile locks_;
  platform::Mapping common_region_;  // up to the regions; of supplied memory that is shared: all of it
  std::byte* base_ = nullptr;
  const bool supplied_ = false;
  const std::uint64_t supplied_bytes_ = 0;
  mutable std::atomic<std::uint64_t> known_bytes_{0};  // of the file
  platform::GuardedRange common_guard_;                // behind the mapping: forgotten before it is unmapped
  // Relaxed: whoever still reads zeros for a word of the segment finds them as odd as any.
  std::atomic<bool> truncated_{false};
  std::vector<std::atomic<std::uint64_t>> ended_registrations_;
  std::atomic<std::uint64_t> looked_for_ended_ns_{0};
  bool forked_ = false;

  // Behind everything that facilities use when they go.
  std::array<std::atomic<Facility*>, 4 * layout::kMaxFacilities> told_{};
  std::atomic<MappedRange*> writable_directory_{nullptr};  // of whoever has the directory's lock
  std::atomic<unsigned> telling_{0};                       // handlers that go through these
  std::mutex facilities_mutex_;
  std::atomic<std::uint64_t> opened_all_at_{0};
  std::map<std::uint32_t, std::shared_ptr<Facility>> facilities_;  // by their places in the directory
};

}  // namespace SAPBUF_DETAIL
