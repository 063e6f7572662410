// A reader of a map, inside the library: what goes beyond the inlined path of sapbuf/map.hpp.
#pragma once

#include <sapbuf/map.hpp>

#include "map/lookup.hpp"
#include "segment/event_fd.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {

struct MapReaderState final : MapReaderHot, ForkHook {
  MapReaderState(std::shared_ptr<MapCore> map, const MapReaderOptions& options);
  ~MapReaderState();

  void after_fork_in_child() noexcept override;
  // Leaves now, or with the last value.
  void close() noexcept;
  // Its handles are gone: so does this.
  void let_go() noexcept;
  // Once it was closed: if no value is kept.
  void leave_if_unused() noexcept;

  MapEntry entry(std::shared_ptr<MapReaderHot> self, const MapKey& key);
  // Behind the inlined path.
  MapValue read(MapEntry& entry) noexcept;
  MapValue read_next(std::uint32_t& next, std::string_view prefix, std::string& key);
  bool wait_entry_changed(MapEntry& entry, std::uint64_t seen, std::chrono::milliseconds timeout) noexcept;
  bool wait_changed(std::uint64_t seen, std::chrono::milliseconds timeout) noexcept;
  std::uint64_t version() const noexcept;
  int event_fd();
  std::uint32_t index() const noexcept { return attachment_.slot(); }

 private:
  Status why_not() noexcept;
  // Where it is now: in `entry`. False: it is not there.
  bool look_up(MapEntry& entry);
  // Keeps the value of the entry, if it is one of that key's life: not_found otherwise.
  MapValue keep(std::uint32_t number, layout::KeyLife life) noexcept;
  std::uint64_t version_of(MapEntry& entry) noexcept;
  template <typename HasChanged>
  bool wait(layout::Event& event, std::chrono::milliseconds timeout, HasChanged has_changed) noexcept;
  void update_buffers() noexcept;
  void light_fence() const noexcept;

  const std::shared_ptr<MapCore> core_;
  const std::shared_ptr<PoolCore> pool_;
  const std::atomic<bool>* const stop_;
  const bool full_fences_;
  Attachment attachment_;
  std::uint64_t recovery_tried_ns_ = 0;
  std::unique_ptr<EventFd> event_fd_;  // null until somebody asks for it
  bool has_handles_ = true;
  bool forked_ = false;
};

}  // namespace SAPBUF_DETAIL
