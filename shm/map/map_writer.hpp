// A writer of a map, inside the library.
//
//   claim.cpp        having an entry to oneself
//   flip.cpp         a key's next version
//   replaced.cpp     buffers of the versions that it replaced
//   keys.cpp         inserting and erasing keys
//   transaction.cpp  several keys at once
//   map_writer.cpp   its beginning and its end, and drafts
#pragma once

#include <optional>

#include <sapbuf/map.hpp>

#include "map/lookup.hpp"
#include "platform/cancellation.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {

struct MapWriterState final : ForkHook {
  MapWriterState(std::shared_ptr<MapCore> map, const Pool& pool, const MapWriterOptions& options);
  ~MapWriterState();

  void after_fork_in_child() noexcept override { forked_ = true; }

  MapDraft prepare(std::string_view key, std::size_t bytes) noexcept { return prepare(key, bytes, deadline()); }
  // Without a wait: an entry may be claimed.
  void move_to_larger(MapDraft& draft, std::size_t bytes) noexcept;
  // Behind what `expected` says the key's version is, if it says so; 0: the key is not there.
  Status flip(MapDraft& draft, std::optional<std::uint64_t> expected) noexcept;
  Status erase(std::string_view key) noexcept;
  // Claims the key's entry; from then on, until flip_claimed() or unclaim(), nobody else changes it.
  Status begin_update(std::string_view key, std::span<const std::byte>& old, MapDraft& fresh) noexcept;
  Status end_update(MapDraft& fresh) noexcept;
  void unclaim() noexcept;
  // All of them, or none.
  Status commit(std::vector<MapDraft>& drafts) noexcept;
  std::uint32_t index() const noexcept { return attachment_.slot(); }

 private:
  static constexpr std::size_t kMostReplaced = 1024;
  static constexpr std::chrono::milliseconds kPatience{10};  // for a lock, between two looks at what ends a wait

  MapDraft prepare(std::string_view key, std::size_t bytes, std::uint64_t deadline_ns) noexcept;
  MapDraft draft_in(Buffer buffer, std::string_view key, std::size_t bytes) noexcept;
  Status begin_update(const PackedKey& key, std::optional<std::size_t> ahead, std::span<const std::byte>& old,
                      MapDraft& fresh);

  struct Claimed {
    std::uint32_t entry = 0;
    layout::KeyLife life;
    std::uint64_t version = 0;
    std::span<const std::byte> value;
    layout::Root root{};        // the value's
    Status whole = Status::ok;  // or why not: exhausted, this process has no addresses for all of it; corrupt
    std::uint64_t hash = 0;
  };

  Status why_not() noexcept;
  // Why it cannot be flipped: its buffer is somebody else's once the pool's user was taken for dead.
  Status why_not(const MapDraft& draft) noexcept;
  Status why_stop_waiting(std::uint64_t deadline_ns) noexcept;
  std::uint64_t deadline() const noexcept;
  // Where the value stands from here on.
  void use(MapDraft& draft, Buffer buffer) const noexcept;
  void light_fence() const noexcept;

  // One try. `place` is where the slot says so: 0, but for several keys at once.
  bool try_claim(std::uint32_t entry, std::uint32_t place = 0) noexcept;
  struct Wanted {
    std::uint32_t entry;
    layout::KeyLife life;
    std::uint64_t hash;
  };
  // Waits for the entry's claim. version_changed: it has another life by now, and is not worth a wait.
  Status claim(const Wanted& wanted, std::uint64_t deadline_ns, std::uint32_t place = 0) noexcept;
  void release_claim(const Claimed& had, std::uint32_t place) noexcept;
  // Where the key is: in claimed_. not_found if it is not there.
  Status claim_key(const PackedKey& key, std::uint64_t deadline_ns);
  // What the entry that is claimed says. Nothing: it is not that key's any more.
  Status why_no_value(std::uint64_t at, std::uint64_t length) const noexcept;
  // What it was claimed with. version_changed: it is another key's by now; exhausted: this process has no addresses for
  // the value.
  Status read_claimed(std::uint32_t entry, layout::KeyLife life, std::uint64_t hash,
                      std::optional<Claimed>& claimed) noexcept;

  // Makes the draft's buffer the value of the claimed entry.
  Status point_to(MapDraft& draft, std::uint32_t entry, layout::KeyLife life, std::uint64_t version) noexcept;
  Status hand_over(MapDraft& draft, std::uint32_t entry, layout::KeyLife life, std::uint64_t version,
                   std::uint32_t place = 0) noexcept;
  void point(std::uint32_t entry, std::uint32_t place = 0) noexcept;
  // In replaced.cpp: `root` kept a version, and does not any more.
  void note_replaced(layout::Root root) noexcept {
    if (!root.is_none() && replaced_.size() < replaced_.capacity()) replaced_.push_back(root);
  }
  bool is_worth_a_look() const noexcept;
  void reuse_replaced() noexcept;
  void count_change(layout::Word& figure) noexcept;
  void wake(std::uint64_t hash) noexcept;

  Status try_commit(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims, std::uint64_t deadline_ns);
  Status claim_all(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims, std::uint64_t deadline_ns);
  Status flip_all(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims, std::size_t first_new) noexcept;
  void release_all(std::vector<Claimed>& claims) noexcept;

  Status insert(const PackedKey& key, MapDraft& draft, std::uint64_t deadline_ns);
  // Behind `full`, without the map's lock. ok: there may be an entry by now.
  Status make_room(bool& recovered, std::uint64_t deadline_ns);
  bool others_claim() const noexcept;
  // ok: there are more entries than claim_free_entry() looked among; full: it has as many as it may.
  Status grow(std::uint64_t deadline_ns);
  bool extend(std::uint64_t bytes);
  // One try to take the map's lock for a call, and gives what that gives. For whoever has claims: without the lock he lets
  // go of them, and awaits it.
  template <typename Call>
  std::optional<Status> try_with_lock(Call call);
  Status await_lock(std::uint64_t deadline_ns) {
    return with_lock(deadline_ns, [] { return Status::ok; });
  }
  // Waits for the lock, with no claim in hand.
  template <typename Call>
  Status with_lock(std::uint64_t deadline_ns, Call call);

  // Under the map's lock.
  Status try_insert(const PackedKey& key, MapDraft& draft);
  Status try_insert_without_value(const PackedKey& key, std::vector<Claimed>& claims);
  Status commit_with_new_keys(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims) noexcept;
  std::optional<Claimed> write_key(const PackedKey& key, std::uint32_t place);
  void publish_key(const Claimed& fresh) noexcept;
  Status try_erase() noexcept;
  void uncount_key() noexcept;
  void remove_key(const Claimed& had) noexcept;
  // A free entry, claimed; nothing if there is none.
  std::optional<std::uint32_t> claim_free_entry(std::uint32_t place);

  const std::shared_ptr<MapCore> core_;
  const std::shared_ptr<PoolCore> pool_;
  const std::chrono::milliseconds timeout_;
  const std::atomic<bool>* const stop_;
  const bool full_fences_;
  PoolUser user_;
  Attachment attachment_;
  layout::MapSlot* slot_ = nullptr;
  layout::EntryClaim own_claim_;
  const std::byte* values_ = nullptr;
  layout::ValuePlaces places_;
  std::vector<layout::Root> replaced_;  // what kept the versions that it replaced, so far as they are remembered
  std::vector<layout::Root> unkept_;    // of these, whose buffers are dying in its name
  std::optional<Claimed> claimed_;
  std::uint32_t looked_among_ = 0;            // as many entries, by the last look for a free one
  std::optional<std::uint32_t> passed_over_;  // a free entry that somebody else had claimed, where there was no other
  // For a value that could not be made larger with its entry claimed: the next update of that key waits for it.
  struct Unmet {
    std::uint64_t hash = 0;
    std::size_t bytes = 0;
  };
  Unmet unmet_;
  std::uint64_t recovery_tried_ns_ = 0;
  bool forked_ = false;
};

template <typename Call>
std::optional<Status> MapWriterState::try_with_lock(Call call) {
  const platform::Uncancellable to_its_end;
  if (const MaintenanceLock lock{*core_, kPatience}) return call();
  return std::nullopt;
}

template <typename Call>
Status MapWriterState::with_lock(std::uint64_t deadline_ns, Call call) {
  for (;;) {
    if (const std::optional<Status> status = try_with_lock(call)) return *status;
    if (const Status status = why_stop_waiting(deadline_ns); status != Status::ok) return status;
    registry::beat(core_->segment().participant(index()));
  }
}

}  // namespace SAPBUF_DETAIL
