#include "stream/durable_readers.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "platform/process_identity.hpp"
#include "segment/event.hpp"
#include "segment/liveness.hpp"
#include "segment/words.hpp"
#include "stream/durable_position.hpp"
#include "stream/reader_progress.hpp"
#include "stream/settled_lock.hpp"
#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::DurableReader;
using layout::DurableState;
using layout::ParticipantId;
using layout::SlotRegistration;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::chrono::milliseconds kRemovePatience{2000};
constexpr std::uint64_t kCoarseNs = 10'000'000;  // that the coarse clock is behind the other one, at the most

DurableState state_of(const DurableReader& record) noexcept {
  // durable: acquire, so that a record that is named is whole.
  return static_cast<DurableState>(record.state.load(std::memory_order_acquire));
}

void set_state(DurableReader& record, DurableState state) noexcept {
  record.state.store(static_cast<std::uint64_t>(state), std::memory_order_release);
}

// Nobody has it, and it has no place yet, or none any more.
bool is_free(StreamCore& core, std::uint32_t index) noexcept {
  return state_of(core.durable_reader(index)) != DurableState::named && !reader_of(core, index);
}

template <typename Test>
std::optional<std::uint32_t> first_durable(StreamCore& core, Test test) {
  for (std::uint32_t index = 0; index < core.geometry().durable_readers; ++index) {
    if (test(index)) return index;
  }
  return std::nullopt;
}

// So many of the newest ones, the active one among them.
std::uint64_t most_generations(StreamCore& core, std::uint64_t max_bytes) noexcept {
  return max_bytes == 0 ? core.geometry().slabs : max_bytes / core.geometry().slab_bytes;
}

bool has_been_away_too_long(StreamCore& core, std::uint32_t index) noexcept {
  const std::uint64_t most = core.durable_reader(index).max_away_ns.load(relaxed);
  return most != 0 && away_ns(core, index).value_or(0) > most;
}

// What it holds by itself, or its reader does, that has not been settled yet.
bool keeps(StreamCore& core, std::uint32_t index, std::uint64_t generation) noexcept {
  if (!is_named(core, index)) return false;
  if (const auto reader = reader_of(core, index)) {
    return core.slot(*reader).hold.load(std::memory_order_acquire) <= generation;
  }
  const DurableReader& record = core.durable_reader(index);
  // hold-release: acquire, as of a reader's.
  if (record.hold.load(std::memory_order_acquire) > generation || has_been_away_too_long(core, index)) return false;
  return generation + most_generations(core, record.max_bytes.load(relaxed)) > newest_generation(core);
}

// A limit in nanoseconds; 0: there is none.
Milliseconds limit_of(std::uint64_t ns) noexcept {
  return ns == 0 ? Milliseconds{kForever} : Milliseconds{std::chrono::milliseconds{ns / 1'000'000}};
}

Passed behind_of(StreamCore& core, std::uint32_t index, std::optional<std::uint32_t> reader) {
  if (!reader) return count_behind(core, index);
  const auto progress = load_progress(core.slot(*reader));
  return progress ? count_left(count_standing(core, progress->front), *progress) : Passed{};
}

std::uint64_t bytes_kept(StreamCore& core, std::uint32_t index) {
  std::uint64_t kept = 0;
  if (core.geometry().on_full == OnFull::overwrite) return kept;
  for_each_readable(core, [&](SlabGeneration where) {
    if (keeps(core, index, where.generation)) kept += core.geometry().slab_bytes;
  });
  return kept;
}

DurableReaderInfo describe(StreamCore& core, std::uint32_t index, CountBehind count_behind) {
  const DurableReader& record = core.durable_reader(index);
  const auto reader = reader_of(core, index);
  const auto away = reader ? std::nullopt : away_ns(core, index);
  const Passed behind = count_behind == CountBehind::yes ? behind_of(core, index, reader) : Passed{};
  return {
      .name = load_name(record.name),
      .slot = reader,
      .away_ms = away ? std::optional{*away / 1'000'000} : std::nullopt,
      .kept_bytes = reader ? 0 : bytes_kept(core, index),
      .behind_messages = behind.messages,
      .behind_bytes = behind.bytes,
      .limits = {.max_bytes = record.max_bytes.load(relaxed), .max_away = limit_of(record.max_away_ns.load(relaxed))}};
}

std::uint64_t nanoseconds(Milliseconds limit) noexcept {
  const auto ns = detail::saturated<std::chrono::nanoseconds>(limit);
  return limit == kForever ? 0 : static_cast<std::uint64_t>(std::max<std::int64_t>(ns.count(), 1));
}

}  // namespace

std::vector<DurableReaderInfo> list_durable(StreamCore& core, CountBehind count_behind) {
  std::vector<DurableReaderInfo> all;
  for (std::uint32_t index = 0; index < core.geometry().durable_readers; ++index) {
    if (is_named(core, index)) all.push_back(describe(core, index, count_behind));
  }
  return all;
}

std::vector<std::string> list_keepers_away(StreamCore& core, std::uint64_t generation) {
  std::vector<std::string> names;
  if (core.geometry().on_full == OnFull::overwrite) return names;
  for (std::uint32_t index = 0; index < core.geometry().durable_readers; ++index) {
    if (!reader_of(core, index) && keeps(core, index, generation)) {
      names.push_back(load_name(core.durable_reader(index).name));
    }
  }
  return names;
}

void check_durable(const StreamCore& core, const ReaderOptions& options) {
  const bool fits = !options.name.empty() && options.name.size() < kTextBytes;
  if (!fits || options.name.find('\0') != std::string::npos) {
    throw Error(Errc::invalid_argument,
                "a durable reader is known by its name, which has 1 to 63 bytes, and none is 0");
  }
  if (core.geometry().durable_readers == 0) {
    throw Error(Errc::invalid_argument,
                core.title() +
                    " has no room for durable readers: make it anew with some (StreamOptions::durable_readers, sapbuf "
                    "create --durable-readers)");
  }
}

bool is_named(StreamCore& core, std::uint32_t index) noexcept {
  return state_of(core.durable_reader(index)) == DurableState::named;
}

std::optional<std::uint32_t> reader_of(StreamCore& core, std::uint32_t index) noexcept {
  const ParticipantId owner{core.durable_reader(index).owner.load(std::memory_order_acquire)};
  if (owner.is_none() || owner.slot() >= core.geometry().participants) return std::nullopt;
  const SlotRegistration registration = core.registration_of(owner.slot());
  const bool is_there = registration.in_use() && registration.incarnation() == owner.incarnation();
  return is_there ? std::optional{owner.slot()} : std::nullopt;
}

std::optional<std::uint64_t> away_ns(StreamCore& core, std::uint32_t index) noexcept {
  const DurableReader& record = core.durable_reader(index);
  if (record.time_namespace.load(relaxed) != platform::own_time_namespace()) return std::nullopt;
  const std::uint64_t now = platform::coarse_monotonic_ns();
  return now - std::min(now, record.away_since_ns.load(relaxed));
}

std::optional<std::uint32_t> find_durable(StreamCore& core, std::string_view name) {
  return first_durable(core, [&](std::uint32_t index) {
    return !is_free(core, index) && load_text(core.durable_reader(index).name) == name;
  });
}

bool is_kept_by_unsettled(StreamCore& core, std::string_view name) {
  const auto is_kept = [&](std::uint32_t index) {
    const auto reader = reader_of(core, index);
    SlotRegistration registration;
    return reader && needs_settling(core.segment(), *reader, registration);
  };
  if (const auto index = find_durable(core, name)) return is_kept(*index);
  const bool has_room = first_durable(core, [&](std::uint32_t index) { return is_free(core, index); }).has_value();
  return !has_room && first_durable(core, is_kept).has_value();
}

std::uint32_t take_durable(StreamCore& core, const ReaderOptions& options, std::uint32_t slot,
                           std::uint64_t incarnation) {
  auto index = find_durable(core, options.name);
  if (index && reader_of(core, *index)) {
    throw Error(Errc::busy, "the durable reader '" + options.name + "' of " + core.title() +
                                " is attached already: one live reader at a time goes on with it");
  }
  const bool is_new = !index;
  if (is_new) {
    index = first_durable(core, [&](std::uint32_t free) { return is_free(core, free); });
    if (!index) {
      throw Error(Errc::registry_full, core.title() + " has no room for another durable reader (it has room for " +
                                           std::to_string(core.geometry().durable_readers) +
                                           "): remove one (remove_durable_reader(), sapbuf readers rm)");
    }
    set_state(core.durable_reader(*index), DurableState::making);
  }
  DurableReader& record = core.durable_reader(*index);
  record.max_bytes.store(options.durable->max_bytes, relaxed);
  record.max_away_ns.store(nanoseconds(options.durable->max_away), relaxed);
  if (is_new) {
    record.hold.store(layout::kNoHold, relaxed);
    record.passed.store(0, relaxed);
    store_text(record.name, options.name);
    for (std::uint32_t slab = 0; slab < core.geometry().slabs; ++slab) {
      core.durable_word(*index, slab, 0).store(0, relaxed);  // of no generation
    }
  }
  SAPBUF_KILL_POINT(durable_taken);
  record.owner.store(ParticipantId::make(slot, incarnation).word, std::memory_order_release);
  SAPBUF_KILL_POINT(durable_owned);
  return *index;
}

void name_durable(StreamCore& core, std::uint32_t index) noexcept {
  auto making = static_cast<std::uint64_t>(DurableState::making);
  core.durable_reader(index).state.compare_exchange_strong(making, static_cast<std::uint64_t>(DurableState::named),
                                                           std::memory_order_release, relaxed);
}

void leave_durable(StreamCore& core, std::uint32_t slot) noexcept {
  const auto index = first_durable(core, [&](std::uint32_t one) { return reader_of(core, one) == slot; });
  if (!index) return;
  DurableReader& record = core.durable_reader(*index);
  if (state_of(record) != DurableState::named) {
    set_state(record, DurableState::free);
  } else {
    const layout::StreamSlot& reader = core.slot(slot);
    const bool overwrites = core.geometry().on_full == OnFull::overwrite;
    const std::uint64_t from = (overwrites ? reader.front : reader.hold).load(relaxed);
    // 0: it died while it wrote the word down, and what the record says is older. Repeated, behind a partial run: the same.
    if (from != 0 && from != layout::kNoHold) record.hold.store(from, std::memory_order_release);
    record.away_since_ns.store(platform::coarse_monotonic_ns(), relaxed);
    record.time_namespace.store(platform::own_time_namespace(), relaxed);
    SAPBUF_KILL_POINT(durable_held);
  }
  // durable: release, behind the hold.
  record.owner.store(0, std::memory_order_release);
  SAPBUF_KILL_POINT(durable_left);
}

std::uint64_t next_given_up_ns(StreamCore& core) noexcept {
  std::uint64_t next_ns = ~std::uint64_t{0};
  if (core.geometry().on_full == OnFull::overwrite) return next_ns;
  first_durable(core, [&](std::uint32_t index) {
    const DurableReader& record = core.durable_reader(index);
    const std::uint64_t most = record.max_away_ns.load(relaxed);
    const bool has_an_end = is_named(core, index) && !reader_of(core, index) && most != 0 && away_ns(core, index);
    if (has_an_end && !has_been_away_too_long(core, index)) {
      next_ns = std::min(next_ns, record.away_since_ns.load(relaxed) + most + kCoarseNs);
    }
    return false;
  });
  return next_ns;
}

bool keeps_durably(StreamCore& core, std::uint64_t generation) noexcept {
  if (core.geometry().on_full == OnFull::overwrite) return false;
  return first_durable(core, [&](std::uint32_t index) { return keeps(core, index, generation); }).has_value();
}

bool remove_durable(StreamCore& core, std::string_view name) {
  const SettledLock lock{core, kRemovePatience, [&] { return is_kept_by_unsettled(core, name); }};
  const auto index = find_durable(core, name);
  if (!index) return false;
  if (reader_of(core, *index)) {
    throw Error(Errc::busy, "the durable reader '" + std::string(name) + "' of " + core.title() +
                                " is attached: end that reader first");
  }
  set_state(core.durable_reader(*index), DurableState::free);
  notify(core.control().space);
  return true;
}

}  // namespace SAPBUF_DETAIL
