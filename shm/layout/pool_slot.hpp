// What others must know of one user of a pool: an array in the pool's region, by the participant's slot.
#pragma once

#include <sapbuf/layout/event.hpp>
#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/pool_word.hpp>

namespace sapbuf::layout {

// Shared buffers that one user can hold at once.
inline constexpr std::uint32_t kRoots = 248;
// Free buffers that one user can keep at hand.
inline constexpr std::uint32_t kMagazine = 64;
// The same for each class of a pool with size classes.
inline constexpr std::uint32_t kClassMagazine = 14;

// What a magazine's one word says: how many buffers are in it, and how many were ever acquired from it. Acquiring one
// changes both with one store, so the count is exact whenever its owner is killed.
//
//   63                                             16 15      0
//   +------------------------------------------------+--------+
//   |  acquired                                       | depth  |
//   +------------------------------------------------+--------+
struct MagazineState {
  std::uint64_t word = 0;

  static constexpr std::uint64_t kOneAcquired = std::uint64_t{1} << 16;

  static constexpr MagazineState make(std::uint64_t acquired, std::uint32_t depth) noexcept {
    return {acquired << 16 | depth};
  }
  constexpr std::uint32_t depth() const noexcept { return static_cast<std::uint32_t>(word & 0xffff); }
  constexpr std::uint64_t acquired() const noexcept { return word >> 16; }
  constexpr MagazineState after_acquiring() const noexcept { return {word + kOneAcquired - 1}; }
  constexpr MagazineState after_releasing() const noexcept { return {word + 1}; }
  constexpr MagazineState with_depth(std::uint32_t depth) const noexcept { return make(acquired(), depth); }
};
static_assert(MagazineState::make(7, 3).after_acquiring().acquired() == 8);
static_assert(MagazineState::make(7, 3).after_acquiring().depth() == 2);

// What a user says of a buffer that it waits for. Each time it asks, it has another ticket of the pool's, and says so: who was
// stopped while he served an earlier request gives nothing to a later one. In a pool with size classes nobody is given a buffer:
// who waits takes it in turn, and who listens has no turn, and is told once that there may be something. One who gives up what
// he was about to be given has left it, until it is clear whose it is.
//
//   63                                        3 2    0
//   +------------------------------------------+------+
//   |  ticket; of one that was given, or left,  | kind |      0: it does not wait
//   |  its index                                |      |      bit 63 of one that was left: it is being freed by who serves,
//   +------------------------------------------+------+      and the owner leaves the request alone
struct Request {
  std::uint64_t word = 0;

  static constexpr unsigned kKindBits = 3;

  static constexpr Request waits(std::uint64_t ticket) noexcept { return {ticket << kKindBits | 1}; }
  static constexpr Request given(std::uint32_t index) noexcept { return {std::uint64_t{index} << kKindBits | 2}; }
  static constexpr Request listens(std::uint64_t ticket) noexcept { return {ticket << kKindBits | 3}; }
  static constexpr Request left(std::uint32_t index) noexcept { return {std::uint64_t{index} << kKindBits | 4}; }
  constexpr bool is_none() const noexcept { return word == 0; }
  constexpr bool is_waiting() const noexcept { return kind() == 1; }
  constexpr bool is_given() const noexcept { return kind() == 2; }
  constexpr bool is_listening() const noexcept { return kind() == 3; }
  constexpr bool is_left() const noexcept { return kind() == 4; }
  constexpr Request being_freed() const noexcept { return {word | kFreed}; }
  constexpr bool is_being_freed() const noexcept { return (word & kFreed) != 0; }
  constexpr std::uint64_t ticket() const noexcept { return word >> kKindBits; }
  constexpr std::uint32_t index() const noexcept { return static_cast<std::uint32_t>(word >> kKindBits); }

 private:
  static constexpr std::uint64_t kFreed = std::uint64_t{1} << 63;

  constexpr unsigned kind() const noexcept { return static_cast<unsigned>(word % (1u << kKindBits)); }
};

struct alignas(kLineBytes) PoolSlot {
  // Grows whenever the owner must stop and look: others take from its magazine, somebody waits for a buffer, or recovery
  // settled the slot. Never 0 while somebody has the slot.
  //   written by  whoever wants the owner to look: fetch-add;  whoever takes the slot, or settles it
  //   read by     the owner, at each step
  //   edge        magazine (SB): the owner's step, light fence, then this <-> this, heavy fence, then the magazine. One of
  //               the two sees the other
  //   crash       the owner looks once more than it needs to
  Word attention;
  // What `attention` said when the owner last looked: from then on, each buffer that was in the magazine has another
  // incarnation.
  //   written by  the owner
  //   read by     whoever takes from the magazine, under the pool's lock
  //   edge        magazine-look: before the owner changes the first word, release <-> behind the taker's look at the words,
  //               acquire
  //   crash       harmless
  Word acknowledged;
  // Whether the owner waits for a buffer, or which one it was given: Request.
  //   written by  the owner; whoever serves, under the pool's lock: compare-exchange; recovery, as above
  //   read by     the same
  //   edge        request: what was given is there before the buffer's word says so;  leave (SB): see pool/waiters.hpp
  //   crash       of the owner: recovery clears it;  of who serves: the buffer's word says otherwise, and whoever looks at
  //               both under the lock takes the owner for one who still waits
  Word request;
  // The request's ticket, its place in the order: also once it says which buffer was given.
  //   written by  the owner, before the request
  //   read by     who serves, once one was given; the owner
  //   edge        request: before it
  //   crash       harmless
  Word ticket;
  // The incarnation of this slot that the departed totals include although they name somebody else as added last.
  //   written by  whoever adds the next one, under the pool's lock
  //   read by     whoever settles this slot, under it
  //   edge        the lock
  //   crash       harmless: it says what the departed record that is still selected says too
  Word counted;
  // The size class of the buffer that it waits for.
  //   written by  the owner, before the request
  //   read by     who wants one, while somebody waits
  //   edge        none: whoever reads an older one gives way, or takes a buffer, for once
  //   crash       harmless: it counts only with a request
  Word wanted_class;
  Word reserved[2];
  // The magazine; in a pool with size classes there is one for each class instead: ClassMagazine. Buffers that the owner has and does not use, `state`.depth() of them; their words say that they are the
  // owner's. Whoever finds no free buffer takes them, under the pool's lock.
  //   written by  the owner; recovery, once the owner is dead or leaves, under the pool's lock
  //   read by     whoever takes from it, under the pool's lock; inspect
  //   edge        magazine (SB): as above;  pool-free: a buffer that is put into it is there, and its last use behind its
  //               owner, with release <-> acquire
  //   crash       the words are what counts: recovery frees the buffers
  alignas(kLineBytes) Word state;  // MagazineState
  // How many buffers the owner has, those in its magazines included; but for `elsewhere`. Where it changes together with a
  // magazine's `state`, the store to that decides for both: while the one of magazine `next_magazine` is `next_state`,
  // `next_has` is what counts.
  //   written by  the owner
  //   read by     whoever settles it, inspect
  //   edge        none: who settles it does so behind the owner's death, or his leaving
  //   crash       one too many, if it came between letting go of a shared buffer, or of one past the magazine, and this
  Word has;
  Word next_state;
  Word next_has;
  // Figures: buffers that it adopted; acquisitions for which the magazine had nothing; times that it was filled.
  //   written by  the owner, behind what they count
  //   read by     whoever settles it, inspect
  //   edge        none: as above
  //   crash       they count as they stand: the one that was under way may be missing
  Word adopted;
  Word misses;
  Word refills;
  Word next_magazine;  // as next_state; its number is the size class
  HalfWord magazine[kMagazine];
  // More figures: buffers that were released on other threads than the owner's.
  //   written by  whoever releases one, in the owner's process: fetch-add
  //   read by     whoever settles it, inspect
  //   edge        none: as above
  //   crash       one too few
  alignas(kLineBytes) Word elsewhere;
  // Buffers that went into messages, that were taken from others' magazines, that the pool grew by; and waits.
  //   written by  the owner, behind what they count
  //   read by     whoever settles it, inspect
  //   edge        none: as above
  //   crash       they count as they stand: the one that was under way may be missing
  Word attached;
  Word stolen;
  Word grown;
  Word waits;
  Word reserved_2[3];
  // The shared buffers that the user holds, in no order: Root.
  //   written by  the owner; recovery, once the owner is dead or leaves, under the pool's lock
  //   read by     scans, inspect
  //   edge        root (SB): the root, light fence, then the buffer's word <-> the word says `dying`, heavy fence, then
  //               the roots. One of the two sees the other.  pool-free: cleared with release, behind the last use of the
  //               buffer <-> the scan's acquire
  //   crash       they keep their buffers until recovery
  alignas(kLineBytes) Word roots[kRoots];
  Event served;  // the owner was given a buffer, or should look for one
};

inline constexpr Field kPoolSlotFields[] = {
    SAPBUF_FIELD(PoolSlot, attention),  SAPBUF_FIELD(PoolSlot, acknowledged), SAPBUF_FIELD(PoolSlot, request),
    SAPBUF_FIELD(PoolSlot, ticket),     SAPBUF_FIELD(PoolSlot, counted),      SAPBUF_FIELD(PoolSlot, wanted_class),
    SAPBUF_FIELD(PoolSlot, reserved),   SAPBUF_FIELD(PoolSlot, state),        SAPBUF_FIELD(PoolSlot, has),
    SAPBUF_FIELD(PoolSlot, next_state), SAPBUF_FIELD(PoolSlot, next_has),     SAPBUF_FIELD(PoolSlot, adopted),
    SAPBUF_FIELD(PoolSlot, misses),     SAPBUF_FIELD(PoolSlot, refills),      SAPBUF_FIELD(PoolSlot, next_magazine),
    SAPBUF_FIELD(PoolSlot, magazine),   SAPBUF_FIELD(PoolSlot, elsewhere),    SAPBUF_FIELD(PoolSlot, attached),
    SAPBUF_FIELD(PoolSlot, stolen),     SAPBUF_FIELD(PoolSlot, grown),        SAPBUF_FIELD(PoolSlot, waits),
    SAPBUF_FIELD(PoolSlot, reserved_2), SAPBUF_FIELD(PoolSlot, roots),        SAPBUF_FIELD(PoolSlot, served)};
static_assert(sizeof(PoolSlot) == 2496 && covers(kPoolSlotFields, sizeof(PoolSlot)));

// What a user of a pool with size classes has at hand of one class: an array by slot and class. As PoolSlot::state and
// `magazine`.
struct alignas(kLineBytes) ClassMagazine {
  Word state;
  HalfWord magazine[kClassMagazine];
};

inline constexpr Field kClassMagazineFields[] = {SAPBUF_FIELD(ClassMagazine, state),
                                                 SAPBUF_FIELD(ClassMagazine, magazine)};
static_assert(sizeof(ClassMagazine) == kLineBytes && covers(kClassMagazineFields, sizeof(ClassMagazine)));

// The sum over the users that have left or died, kept like a stream's (DepartedRecord): the copy that is not selected is
// rewritten, then `departed_selector` moves.
//   written by  whoever settles a slot, under the pool's lock
//   read by     whoever settles the next one, inspect
//   edge        departed-switch, as PoolControl::departed_selector
//   crash       a copy that does not count
struct alignas(kLineBytes) DepartedUsers {
  Word participants;
  Word acquired;
  Word misses;
  Word adopted;
  Word released;
  Word attached;
  Word reclaimed;
  Word last_departed;  // slot in bits 48..63, incarnation below
  Word refills;
  Word stolen;
  Word grown;
  Word waits;
  Word reserved[4];
};

inline constexpr Field kDepartedUsersFields[] = {
    SAPBUF_FIELD(DepartedUsers, participants), SAPBUF_FIELD(DepartedUsers, acquired),
    SAPBUF_FIELD(DepartedUsers, misses),       SAPBUF_FIELD(DepartedUsers, adopted),
    SAPBUF_FIELD(DepartedUsers, released),     SAPBUF_FIELD(DepartedUsers, attached),
    SAPBUF_FIELD(DepartedUsers, reclaimed),    SAPBUF_FIELD(DepartedUsers, last_departed),
    SAPBUF_FIELD(DepartedUsers, refills),      SAPBUF_FIELD(DepartedUsers, stolen),
    SAPBUF_FIELD(DepartedUsers, grown),        SAPBUF_FIELD(DepartedUsers, waits),
    SAPBUF_FIELD(DepartedUsers, reserved)};
static_assert(sizeof(DepartedUsers) == 128 && covers(kDepartedUsersFields, sizeof(DepartedUsers)));

// What all users of a pool share.
struct alignas(kLineBytes) PoolControl {
  // Buffers that there are; it only grows.
  //   written by  whoever makes the pool; whoever lets it grow: compare-exchange, under no lock
  //   read by     everybody
  //   edge        growth: release, behind the region's growth <-> acquire
  //   crash       before it: room in the region that the next one who needs a buffer finds
  Word count;
  // Requests made since nobody had one. Not 0: nobody keeps a free buffer, or takes one, before those who wait.
  //   written by  whoever waits: fetch-add; who serves, under the pool's lock: compare-and-swap
  //   read by     everybody, once `attention` says so
  //   edge        request (SB): the request, then this + 1 <-> this, the requests, then this = 0 if it is the same
  //   crash       not 0 for nothing: the next one who serves finds nobody
  Word waiting;
  // Of the next request: they are served in this order.
  //   written by  whoever waits: fetch-add
  //   read by     the same
  //   edge        none
  //   crash       a number that nobody has
  Word next_ticket;
  // When the pool was made, in milliseconds of the coarse monotonic clock: `since` counts from there.
  //   written by  whoever makes the pool
  //   read by     everybody
  //   edge        none: it never changes
  //   crash       harmless
  Word made_ms;
  // Its lowest bit: which of the two departed records counts; it grows by one.
  //   written by  whoever settles a slot, under the pool's lock
  //   read by     whoever settles the next one, inspect
  //   edge        departed-switch: release, behind the record <-> acquire
  //   crash       before it: nobody was added
  Word departed_selector;
  Word reserved[3];
  // Buffers that are out of the pool, those in magazines included; and the most that there were. It is told of buffers
  // behind their leaving, and before they come back, several at a time: so it is never too large by what is under way.
  //   written by  whoever changes the words: fetch-add, and compare-exchange of `peak`; repair, which counts anew
  //   read by     the same, inspect
  //   edge        none: a figure
  //   crash       `out` is too small, until the dead one is repaired; then too large, if somebody is stopped who is about to
  //               tell of some: those count twice, in `peak` for good
  alignas(kLineBytes) Word out;
  Word peak;
  Word reserved_1[6];
  DepartedUsers departed[2];
};

inline constexpr Field kPoolControlFields[] = {SAPBUF_FIELD(PoolControl, count),
                                               SAPBUF_FIELD(PoolControl, waiting),
                                               SAPBUF_FIELD(PoolControl, next_ticket),
                                               SAPBUF_FIELD(PoolControl, made_ms),
                                               SAPBUF_FIELD(PoolControl, departed_selector),
                                               SAPBUF_FIELD(PoolControl, reserved),
                                               SAPBUF_FIELD(PoolControl, out),
                                               SAPBUF_FIELD(PoolControl, peak),
                                               SAPBUF_FIELD(PoolControl, reserved_1),
                                               SAPBUF_FIELD(PoolControl, departed)};
static_assert(sizeof(PoolControl) == 384 && covers(kPoolControlFields, sizeof(PoolControl)));

}  // namespace sapbuf::layout
