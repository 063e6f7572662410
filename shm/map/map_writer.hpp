// A writer of a map, inside the library.
//
//   claim.cpp        having an entry to oneself
//   flip.cpp         a key's next version
//   replaced.cpp     buffers of the versions that it replaced
//   keys.cpp         inserting and erasing keys (index.cpp: their places)
//   transaction.cpp  several keys at once
//   map_writer.cpp   its beginning and its end, and drafts
#pragma once

#include <optional>

#include <sapbuf/map.hpp>

#include "map/lookup.hpp"
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
  static constexpr std::chrono::milliseconds kPatience{10};  // between two looks at what ends a wait

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
  // Why this process does not have these bytes of the pool's, or ok.
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
  // Behind `exists`, with no claim in hand: until who is about to have the key is done.
  Status await_rival(std::uint64_t deadline_ns) noexcept;
  // Behind `full`, with no claim in hand. ok: there may be an entry by now.
  Status make_room(bool& recovered, std::uint64_t deadline_ns);
  bool others_claim() const noexcept;
  // ok: there are more entries than claim_free_entry() looked among; full: it has as many as it may.
  Status grow(std::uint64_t deadline_ns);
  bool extend(std::uint64_t bytes);

  Status try_insert(const PackedKey& key, MapDraft& draft);
  // Readers find no value, and other writers wait for the claim.
  Status insert_without_value(const PackedKey& key, std::uint32_t place, std::optional<Claimed>& fresh);
  layout::KeyLife write_key(const PackedKey& key, std::uint32_t entry) noexcept;
  Status enter(const PackedKey& key, std::uint32_t entry, layout::KeyLife coming) noexcept;
  Status try_to_enter(const PackedKey& key, Claimed& fresh) noexcept;
  Status insert_all(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims);
  Status commit_with_new_keys(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims) noexcept;
  Status try_erase() noexcept;
  void raise_version_floor(std::uint64_t version) noexcept;
  void remove_key(const Claimed& had) noexcept;
  // So many keys more, once that is decided as `what` says; and that it was.
  void begin_counting(std::int64_t more, layout::Counting what) noexcept;
  void end_counting() noexcept;
  // A free entry, claimed; nothing if there is none.
  std::optional<std::uint32_t> claim_free_entry(std::uint32_t place);
  std::optional<std::uint32_t> claim_unused_entry(std::uint32_t place) noexcept;
  bool claim_if_free(std::uint32_t entry, std::uint32_t place) noexcept;
  // Before the release of a free one's claim: whoever found none looks again.
  void note_freed() noexcept;

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
  layout::KeyCount counting_;                 // as its slot has it
  std::optional<FoundKey> rival_;             // who has the key that was to be inserted, or is about to
  // For a value that could not be made larger with its entry claimed: the next update of that key waits for it.
  struct Unmet {
    std::uint64_t hash = 0;
    std::size_t bytes = 0;
  };
  Unmet unmet_;
  std::uint64_t recovery_tried_ns_ = 0;
  bool forked_ = false;
};

}  // namespace SAPBUF_DETAIL
