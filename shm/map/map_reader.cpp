#include "map/map_reader.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "platform/fence.hpp"
#include "pool/hand_over.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::AboutValue;
using layout::KeyLife;
using layout::Root;
using layout::ValueWhere;

constexpr auto relaxed = std::memory_order_relaxed;
// Each fails because a whole scan of the pool came between two adjacent instructions.
constexpr int kTries = 64;

}  // namespace

MapReaderState::MapReaderState(std::shared_ptr<MapCore> map, const MapReaderOptions& options)
    : core_(std::move(map)), pool_(core_->pool()), stop_(options.stop), full_fences_(core_->full_fences()) {
  core_->segment().check_not_forked();
  core_->check_not_removed();
  if (!full_fences_ && !platform::register_for_heavy_fences()) {
    throw Error(Errc::unsupported,
                "membarrier(2) is not available here (old kernel, or a seccomp filter): make the segment with full "
                "fences (SegmentOptions{.fences = Fences::full})");
  }
  core_->entries();
  values = pool_->buffers_for_reading();
  words = &pool_->word(0);
  stride_bytes = pool_->geometry().stride_bytes;
  places = core_->places_in(*pool_);
  recover_for(*core_);
  attachment_ = registry::attach(*core_, layout::SlotRole::viewer, options.name);
  slot = &core_->slot(index());
  tenure = slot->tenure.load(relaxed);
  free_guards = kAllGuards;
  update_buffers();
  core_->add(*this);
}

MapReaderState::~MapReaderState() { core_->remove(*this); }

// The child has the parent's memory of it, and none of what it shares.
void MapReaderState::after_fork_in_child() noexcept {
  forked_ = true;
  buffers = 0;
}

void MapReaderState::close() noexcept {
  const platform::Uncancellable to_its_end;
  buffers = 0;
  closed = true;
  if (!forked_) event_fd_.reset();
  leave_if_unused();
}

void MapReaderState::let_go() noexcept {
  has_handles_ = false;
  close();
}

void MapReaderState::leave_if_unused() noexcept {
  if (forked_) return;  // its values may be there for longer: this stays, for the child's lifetime
  if (free_guards != kAllGuards) return;
  if (has_handles_) {
    const Attachment leaves = std::exchange(attachment_, {});
  } else {
    delete this;
  }
}

void MapReaderState::light_fence() const noexcept {
  if (full_fences_) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

void MapReaderState::update_buffers() noexcept {
  if (full_fences_) return;
  const std::uint64_t there = pool_->count();
  // Of the last ones not even what a value says of itself may be there, if they begin no buffer of a size class.
  const std::uint64_t least = std::max<std::uint64_t>((places.value_at + stride_bytes - 1) / stride_bytes, 1);
  buffers = static_cast<std::uint32_t>(there < least ? 0 : there - least + 1);
  end = values + there * stride_bytes;
}

Status MapReaderState::why_not() noexcept {
  if (forked_) return Status::forked;
  if (core_->segment().truncated()) return Status::corrupt;
  if (!attachment_.is_current()) return Status::declared_dead;
  return Status::ok;
}

bool MapReaderState::look_up(MapEntry& entry) {
  const PackedKey key{*core_, entry.key_};
  const std::optional<FoundKey> found = key.is_valid(core_->geometry()) ? find_key(*core_, key) : std::nullopt;
  entry.entry_ = found ? &core_->entry(found->entry) : nullptr;
  if (found) {
    entry.number_ = found->entry;
    entry.life_ = found->life;
  }
  return found.has_value();
}

MapEntry MapReaderState::entry(std::shared_ptr<MapReaderHot> self, const MapKey& key) {
  MapEntry entry{std::move(self), std::string(key.bytes())};
  try {
    if (why_not() == Status::ok) look_up(entry);
  } catch (const std::exception&) {
    // its first read says why
  }
  return entry;
}

MapValue MapReaderState::keep(std::uint32_t number, KeyLife life) noexcept {
  if (free_guards == 0) return MapValue{Status::over_budget};
  const auto guard = static_cast<std::uint32_t>(std::countr_zero(free_guards));
  layout::Word& place = slot->guards[guard];
  const layout::Word& value = core_->entry(number).value;
  const std::uint32_t there = pool_->count();
  for (int tried = 0; tried < kTries; ++tried) {
    // flip: acquire.
    const Root root{value.load(std::memory_order_acquire)};
    if (root.is_none()) return MapValue{Status::not_found};
    if (root.index() >= there && root.index() >= pool_->count()) {
      return MapValue{root.index() < pool_->geometry().max_count ? Status::exhausted : Status::corrupt};
    }
    SAPBUF_KILL_POINT(map_seen);
    place.store(root.word, relaxed);
    SAPBUF_KILL_POINT(map_guarded);
    light_fence();  // root (SB): before the look; the scan makes the heavy one
    const bool is_kept = is_kept_by_root(pool_->word(root.index()), root.incarnation());
    SAPBUF_KILL_POINT(map_looked);
    if (!is_kept) {
      place.store(0, std::memory_order_release);
      if (value.load(relaxed) == root.word && why_not() == Status::ok) return MapValue{Status::corrupt};
      continue;
    }
    const std::uint64_t at = root.index() * stride_bytes;
    const std::uint64_t bytes_there = pool_->count() * stride_bytes;
    // Why it ends where there is nothing: one of several pieces may begin where this process has addresses.
    const auto out_of_room = [&](std::uint64_t length) {
      const bool is_there = layout::has_room(places, at, length, pool_->there() * stride_bytes);
      return is_there ? Status::exhausted : Status::corrupt;
    };
    if (!layout::has_room(places, at, 0, bytes_there)) {
      place.store(0, std::memory_order_release);
      return MapValue{out_of_room(0)};
    }
    const auto& about = *reinterpret_cast<const AboutValue*>(values + at + places.about_at);
    const ValueWhere where{about.where.load(relaxed)};
    const bool is_of_key = about.key.load(relaxed) == life.word && where.entry() == number;
    if (!is_of_key || !layout::has_room(places, at, where.length(), bytes_there)) {
      place.store(0, std::memory_order_release);
      return MapValue{is_of_key ? out_of_room(where.length()) : Status::not_found};
    }
    free_guards &= free_guards - 1;
    return MapValue{*this, guard, values + at + places.value_at, about, where.length()};
  }
  return MapValue{Status::overtaken};
}

MapValue MapReaderState::read(MapEntry& entry) noexcept {
  if (closed) return MapValue{Status::closed};
  if (const Status status = why_not(); status != Status::ok) return MapValue{status};
  update_buffers();
  try {
    // What was looked up may have been erased: then the key may be elsewhere by now.
    for (int looked = 0; looked < 2; ++looked) {
      if (entry.entry_ == nullptr || looked != 0) {
        if (!look_up(entry)) break;
      }
      MapValue value = keep(entry.number_, entry.life_);
      if (value.status() != Status::not_found) return value;
    }
  } catch (const std::exception&) {
    return MapValue{Status::exhausted};
  }
  entry.entry_ = nullptr;
  if (const Status status = why_not(); status != Status::ok) return MapValue{status};
  return MapValue{Status::not_found};
}

MapValue MapReaderState::read_next(std::uint32_t& next, std::string_view prefix, std::string& key) {
  if (const Status status = why_not(); status != Status::ok) return MapValue{status};
  std::uint32_t used = 0;
  try {
    used = core_->used_entries();
  } catch (const Error&) {
    return MapValue{Status::exhausted};
  }
  while (next < used) {
    const std::uint32_t number = next++;
    KeyLife life;
    std::optional<std::string> found = read_key(*core_, number, life);
    if (!found || !std::string_view{*found}.starts_with(prefix)) continue;
    MapValue value = keep(number, life);
    if (value.status() == Status::not_found) continue;
    key = *std::move(found);
    return value;
  }
  const Status status = why_not();  // what was truncated meanwhile has no keys
  return MapValue{status == Status::ok ? Status::not_found : status};
}

std::uint64_t MapReaderState::version() const noexcept { return forked_ ? 0 : core_->version(); }

MapValue read_slow(MapEntry& entry) noexcept { return static_cast<MapReaderState&>(*entry.reader_).read(entry); }

void leave_behind_value(MapReaderHot& reader) noexcept {
  const platform::Uncancellable to_its_end;
  static_cast<MapReaderState&>(reader).leave_if_unused();
}

}  // namespace SAPBUF_DETAIL
