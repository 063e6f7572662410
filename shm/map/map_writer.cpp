#include "map/map_writer.hpp"

#include <algorithm>
#include <cstring>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "pool/hand_over.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

std::chrono::nanoseconds left_until(std::uint64_t deadline_ns) noexcept {
  const std::uint64_t now = platform::monotonic_ns();
  const std::uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
  return std::chrono::nanoseconds{static_cast<std::int64_t>(std::min<std::uint64_t>(left, INT64_MAX))};
}

}  // namespace

MapWriterState::MapWriterState(std::shared_ptr<MapCore> map, const Pool& pool, const MapWriterOptions& options)
    : core_(std::move(map)),
      pool_(pool.core()),
      timeout_(options.timeout),
      stop_(options.stop),
      full_fences_(core_->full_fences()),
      user_(pool, {.name = options.name, .budget = 0, .stop = options.stop}) {
  core_->segment().check_not_forked();
  core_->check_not_removed();
  core_->entries();
  values_ = pool_->buffers_for_reading();
  places_ = core_->places_in(*pool_);
  recover_for(*core_);
  attachment_ = registry::attach(*core_, layout::SlotRole::editor, options.name);
  slot_ = &core_->slot(index());
  if (!pool_->has_classes() && !full_fences_) {  // otherwise it has no magazine to put them into
    replaced_.reserve(kMostReplaced);
    unkept_.reserve(kMostReplaced);
  }
  own_claim_ = layout::EntryClaim::make(index(), attachment_.incarnation());
  core_->add(*this);
}

MapWriterState::~MapWriterState() {
  unclaim();
  core_->remove(*this);
}

void MapWriterState::light_fence() const noexcept {
  if (full_fences_) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

Status MapWriterState::why_not() noexcept {
  if (forked_) return Status::forked;
  if (core_->segment().truncated()) return Status::corrupt;
  if (!attachment_.is_current()) return Status::declared_dead;
  return Status::ok;
}

Status MapWriterState::why_not(const MapDraft& draft) noexcept {
  Status status = draft.status();
  if (status == Status::ok) find_pool_of(draft.buffer_, core_->segment(), status);
  return status;
}

std::uint64_t MapWriterState::deadline() const noexcept {
  if (timeout_ == kForever) return ~std::uint64_t{0};
  return platform::deadline_after(saturated<std::chrono::nanoseconds>(timeout_));
}

// Status::ok: not yet.
Status MapWriterState::why_stop_waiting(std::uint64_t deadline_ns) noexcept {
  if (const Status status = why_not(); status != Status::ok) return status;
  if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) return Status::stopped;
  return platform::monotonic_ns() >= deadline_ns ? Status::timeout : Status::ok;
}

void MapWriterState::use(MapDraft& draft, Buffer buffer) const noexcept {
  draft.data_ = buffer.bytes().data() + places_.value_at;
  draft.room_ = std::min<std::uint64_t>(buffer.bytes().size() - places_.value_at, core_->geometry().value_bytes);
  draft.buffer_ = std::move(buffer);
}

void MapWriterState::move_to_larger(MapDraft& draft, std::size_t bytes) noexcept {
  Buffer larger = user_.acquire(places_.value_at + bytes);
  if (!larger) {
    draft.status_ = larger.status();
    const std::uint64_t hash = PackedKey{*core_, draft.key_}.hash;
    if (claimed_ && claimed_->hash == hash) unmet_ = {.hash = hash, .bytes = bytes};
    return;
  }
  const std::span<const std::byte> old = draft.bytes();
  const Buffer before = std::move(draft.buffer_);
  use(draft, std::move(larger));
  std::copy(old.begin(), old.end(), draft.data_);
  draft.length_ = bytes;
}

MapDraft MapWriterState::prepare(std::string_view key, std::size_t bytes, std::uint64_t deadline_ns) noexcept {
  if (const Status status = why_not(); status != Status::ok) return MapDraft{status};
  if (claimed_) return MapDraft{Status::already_reserved};
  const std::uint64_t most = core_->geometry().value_bytes;
  if (bytes > most || key.empty() || key.size() > core_->geometry().key_bytes) return MapDraft{Status::too_large};
  if (!replaced_.empty() || !unkept_.empty()) reuse_replaced();
  const std::uint64_t needed = places_.value_at + bytes;
  Buffer buffer = user_.acquire(needed);
  if (buffer.status() == Status::exhausted && timeout_.count() > 0) {
    buffer = user_.acquire_for(needed, left_until(deadline_ns));
  }
  return draft_in(std::move(buffer), key, bytes);
}

MapDraft MapWriterState::draft_in(Buffer buffer, std::string_view key, std::size_t bytes) noexcept {
  if (!buffer) return MapDraft{buffer.status()};
  MapDraft draft{Status::ok};
  use(draft, std::move(buffer));
  try {
    draft.key_ = key;
  } catch (const std::exception&) {
    return MapDraft{Status::exhausted};
  }
  draft.writer_ = this;
  draft.length_ = bytes;
  draft.most_ = core_->geometry().value_bytes;
  return draft;
}

}  // namespace SAPBUF_DETAIL
