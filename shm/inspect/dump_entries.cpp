// A map's entries as they stand, for post-mortems.
//
// Nothing is kept meanwhile: what was read of an entry, and of its value, counts if the entry's words are still the same
// behind it. No root is ever an entry's twice, and as long as it is, its buffer stays as it was. One that was freed
// amid the look may have no page by then: reading it takes one, as any reader of the pool's memory may.
#include <algorithm>
#include <array>

#include <sapbuf/inspect.hpp>

#include "map/map_core.hpp"
#include "platform/cancellation.hpp"
#include "segment/creation.hpp"
#include "segment/words.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace detail {
namespace {

using layout::AboutValue;
using layout::BufferWord;
using layout::EntryClaim;
using layout::KeyLife;
using layout::Root;

using EntryVisitor = std::function<void(const EntryRecord&)>;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kTries = 100;  // each fails because the entry changed meanwhile

std::string_view state_of(KeyLife life) noexcept {
  if (life.is_used()) return "used";
  if (life.is_coming()) return "coming";
  return life.word == life.freed().word ? "free" : "corrupt";
}

class EntryDump {
 public:
  EntryDump(MapCore& map, std::size_t content_bytes)
      : map_(map),
        pool_(map.pool()),
        values_(pool_->buffers_for_reading()),
        places_(map.places_in(*pool_)),
        content_bytes_(content_bytes) {}

  void run(const EntryVisitor& visit) {
    // Whatever is said of them, those that the region has room for.
    const std::uint64_t room = map_.geometry().entries_in(map_.bytes());
    const auto used = static_cast<std::uint32_t>(std::min<std::uint64_t>(map_.used_entries(), room));
    for (std::uint32_t number = 0; number < used; ++number) {
      for (int tried = 0; tried < kTries; ++tried) {
        const std::optional<EntryRecord> seen = look_at(number);
        if (!seen) continue;
        if (seen->state != "free" || seen->claimer) visit(*seen);
        break;
      }
    }
  }

 private:
  // Nothing if it changed meanwhile.
  std::optional<EntryRecord> look_at(std::uint32_t number) const {
    const layout::MapEntry& entry = map_.entry(number);
    // key, flip: acquire.
    const KeyLife life{entry.life.load(std::memory_order_acquire)};
    const Root root{entry.value.load(std::memory_order_acquire)};
    EntryRecord seen{.number = number,
                     .incarnation = life.incarnation(),
                     .state = state_of(life),
                     .key = {},
                     .claimer = {},
                     .claimer_name = {},
                     .content = {}};
    look_at_claim(EntryClaim{entry.claim.load(relaxed)}, seen);
    if (seen.state == "used" || seen.state == "coming") look_at_key(number, seen);
    if (!root.is_none()) look_at_value(root, number, life, seen);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (entry.life.load(relaxed) != life.word || entry.value.load(relaxed) != root.word) return std::nullopt;
    return seen;
  }

  void look_at_claim(EntryClaim claim, EntryRecord& seen) const {
    if (claim.is_none()) return;
    seen.claimer = claim.slot();
    if (claim.slot() >= map_.geometry().participants) return;
    const layout::SlotRegistration registration = map_.registration_of(claim.slot());
    if (!registration.in_use() || registration.incarnation() != claim.incarnation()) return;
    seen.claimer_name = load_name(map_.segment().participant(claim.slot()).name);
  }

  void look_at_key(std::uint32_t number, EntryRecord& seen) const {
    const std::uint64_t bytes = map_.entry(number).key_bytes.load(relaxed);
    if (bytes == 0 || bytes > map_.geometry().key_bytes) {
      seen.state = "corrupt";
      return;
    }
    std::array<std::uint64_t, layout::round_up(layout::kMaxKeyBytes, 8) / 8> words;
    const layout::Word* const from = map_.key_of(number);
    for (std::size_t at = 0; at * 8 < bytes; ++at) words[at] = from[at].load(relaxed);
    seen.key.assign(reinterpret_cast<const char*>(words.data()), bytes);
  }

  void look_at_value(Root root, std::uint32_t number, KeyLife life, EntryRecord& seen) const {
    seen.buffer = std::uint64_t{root.index()} + 1;
    const std::uint32_t there = pool_->count();
    if (root.index() >= there) return;
    // pool-share: acquire.
    const BufferWord word{pool_->word(root.index()).load(std::memory_order_acquire)};
    if (!word.is_shared() || word.incarnation() != root.incarnation()) return;
    const std::uint64_t stride_bytes = pool_->geometry().stride_bytes;
    const std::uint64_t at = root.index() * stride_bytes;
    if (!layout::has_room(places_, at, 0, there * stride_bytes)) return;
    const auto& about = *reinterpret_cast<const AboutValue*>(values_ + at + places_.about_at);
    const layout::ValueWhere where{about.where.load(relaxed)};
    if (about.key.load(relaxed) != life.word || where.entry() != number) return;
    if (!layout::has_room(places_, at, where.length(), there * stride_bytes)) return;
    seen.version = about.version.load(relaxed);
    seen.flipped_ns = about.flipped_ns.load(relaxed);
    seen.bytes = where.length();
    const std::byte* const begin = values_ + at + places_.value_at;
    seen.content.assign(begin, begin + std::min<std::size_t>(content_bytes_, where.length()));
  }

  MapCore& map_;
  const std::shared_ptr<PoolCore> pool_;
  const std::byte* const values_;
  const layout::ValuePlaces places_;
  const std::size_t content_bytes_;
};

void dump_unless_truncated(MapCore& map, const EntryVisitor& visit, std::size_t content_bytes) {
  map.segment().unless_truncated([&] {
    map.segment().check_not_forked();
    map.check();
    EntryDump{map, content_bytes}.run(visit);
    return true;
  });
}

}  // namespace
}  // namespace detail

void dump(std::string_view segment, std::string_view name, const std::function<void(const EntryRecord&)>& visit,
          std::size_t content_bytes) {
  const auto map = [&] {
    const platform::Uncancellable to_its_end;
    return detail::open_map(detail::open_named(segment, platform::FileAccess::read_only).core, name);
  }();
  detail::dump_unless_truncated(*map, visit, content_bytes);
}

void dump(const Map& map, const std::function<void(const EntryRecord&)>& visit, std::size_t content_bytes) {
  detail::dump_unless_truncated(*map.core(), visit, content_bytes);
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
