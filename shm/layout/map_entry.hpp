// A map's entries: one for each key, and the index that leads from a key's hash to its entry.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

// Whether an entry has a key.
//
//   63                          8 7      0
//   +----------------------------+-------+
//   |        incarnation         | state |      the incarnation grows with each key that gets the entry
//   +----------------------------+-------+
//
//   free -> coming     who inserts a key, behind the key: nobody finds it yet but who inserts the same
//   coming -> used     the same, once its place in the index is good: by compare-exchange
//   coming -> free     the same, who withdraws; who inserts the same key and was before it, by compare-exchange; recovery
//   used -> free       who erases it, behind its place in the index; recovery, of what the dead left half inserted or erased
enum class KeyState : std::uint8_t { free = 0, used = 1, coming = 2 };

struct KeyLife {
  std::uint64_t word = 0;

  static constexpr KeyLife make(std::uint64_t incarnation, KeyState state) noexcept {
    return {incarnation << 8 | static_cast<std::uint8_t>(state)};
  }
  constexpr std::uint64_t incarnation() const noexcept { return word >> 8; }
  constexpr bool is_used() const noexcept { return is(KeyState::used); }
  constexpr bool is_coming() const noexcept { return is(KeyState::coming); }
  constexpr KeyLife next() const noexcept { return make(incarnation() + 1, KeyState::coming); }
  constexpr KeyLife used() const noexcept { return make(incarnation(), KeyState::used); }
  constexpr KeyLife freed() const noexcept { return make(incarnation(), KeyState::free); }

 private:
  constexpr bool is(KeyState state) const noexcept { return (word & 0xff) == static_cast<std::uint8_t>(state); }
};
static_assert(KeyLife{}.next().is_coming() && KeyLife{}.next().used().is_used() && !KeyLife{}.next().freed().is_used());

// Who has an entry to himself: nobody else flips it, erases its key, or gives it another one.
//
//   63                16 15            0
//   +-------------------+--------------+
//   |   incarnation     |  slot + 1    |      of the writer's registration
//   +-------------------+--------------+
struct EntryClaim {
  std::uint64_t word = 0;  // 0: nobody

  static constexpr EntryClaim make(std::uint32_t slot, std::uint64_t incarnation) noexcept {
    return {incarnation << 16 | (slot + 1)};
  }
  constexpr bool is_none() const noexcept { return word == 0; }
  constexpr std::uint32_t slot() const noexcept { return static_cast<std::uint32_t>(word & 0xffff) - 1; }
  constexpr std::uint64_t incarnation() const noexcept { return word >> 16; }
};
static_assert(kMaxParticipants < 1u << 16);

// Behind these words stands the key, `key_bytes` bytes and zeros up to a whole word; entries are whole lines.
struct MapEntry {
  // Root of the current version's buffer, which this keeps; 0: the key has no value (any more). Each version is another
  // buffer, or another incarnation of one: so the word is never again what it was.
  //   written by  whoever has the claim
  //   read by     readers, scans of the pool, inspect
  //   edge        flip: release, behind the buffer's word <-> acquire;  root (SB): who stores it looks at the buffer's word
  //               behind it, before its own root goes, and so does a reader behind its guard
  //   crash       the version before or the new one, whole
  Word value;
  // EntryClaim.
  //   written by  writers: compare-exchange;  recovery, of a dead one
  //   read by     the same, inspect
  //   edge        claim: acquire <-> release, behind all that was done under it
  //   crash       MapSlot::claiming leads recovery to it
  Word claim;
  // KeyLife.
  //   written by  who inserts or erases, with the claim; who inserts the same key: compare-exchange from coming; recovery
  //   read by     who looks for a key, before and behind the key; writers, once they have the claim; inspect
  //   edge        key: release, behind the key's words <-> acquire; a release fence behind `free`, before they change <->
  //               acquire fence, this again
  //   crash       coming, or free, in the index or not; or used, without a value: recovery frees it
  Word life;
  // The key's hash, and its bytes; behind these, the key.
  //   written by  who inserts it, while the entry is free, with the claim
  //   read by     who looks for a key, inspect
  //   edge        key, as above
  //   crash       words of an entry that is free
  Word hash;
  Word key_bytes;
};

inline constexpr Field kMapEntryFields[] = {SAPBUF_FIELD(MapEntry, value), SAPBUF_FIELD(MapEntry, claim),
                                            SAPBUF_FIELD(MapEntry, life), SAPBUF_FIELD(MapEntry, hash),
                                            SAPBUF_FIELD(MapEntry, key_bytes)};
static_assert(sizeof(MapEntry) == 40 && covers(kMapEntryFields, sizeof(MapEntry)));

inline constexpr std::uint64_t kMaxKeyBytes = 255;

constexpr std::uint64_t entry_bytes_for(std::uint64_t key_bytes) noexcept {
  return round_up(sizeof(MapEntry) + round_up(key_bytes, sizeof(Word)), kLineBytes);
}
static_assert(entry_bytes_for(24) == 64 && entry_bytes_for(kMaxKeyBytes) == 320);

// A place of the index, which is probed from the hash's place on, one after the other, up to one that is unused.
//
//   63              32  31  30              0
//   +-----------------+---+-----------------+
//   |  upper hash     | 0 |  entry + 1      |      0: unused
//   +-----------------+---+-----------------+
//   |  tag, upper     | 1 |  tag, lower     |      its key is gone; no place has had this tag before
//   +-----------------+---+-----------------+
//
//   unused, gone -> entry     who inserts a key
//   entry -> gone             who erases it, or withdraws; recovery
//   gone -> another tag       who inserts a key whose place is behind this one: nobody makes this one unused on what he saw before
//   gone -> unused            who found that nobody passes it on the way to a key
//
//   written by   writers, recovery: compare-exchange
//   read by      who looks for a key
//   edge         index: release, behind the entry <-> acquire;  index (SB): who takes a place, or gives one up, passes a
//                full fence before he looks at others
//   crash        the key is there or not; MapSlot::claiming leads recovery to its entry, and that to its place
struct IndexPlace {
  std::uint64_t word = 0;

  static constexpr std::uint64_t kGone = std::uint64_t{1} << 31;

  static constexpr IndexPlace make(std::uint64_t hash, std::uint32_t entry) noexcept {
    return {hash >> 32 << 32 | (std::uint64_t{entry} + 1)};
  }
  static constexpr IndexPlace gone(std::uint64_t tag) noexcept {
    return {tag >> 31 << 32 | kGone | (tag & (kGone - 1))};
  }
  constexpr bool is_unused() const noexcept { return word == 0; }
  constexpr bool is_gone() const noexcept { return (word & kGone) != 0; }
  constexpr bool may_be(std::uint64_t hash) const noexcept { return word >> 32 == hash >> 32 && !is_gone(); }
  constexpr std::uint32_t entry() const noexcept { return static_cast<std::uint32_t>(word & 0xffff'ffffu) - 1; }
};

}  // namespace sapbuf::layout
