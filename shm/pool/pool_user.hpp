// A user of a pool, inside the library: what goes beyond the inlined path of sapbuf/pool.hpp.
//
//   acquire.cpp    taking buffers, making room, waiting
//   sizes.cpp      the same for buffers of a size class
//   runs.cpp       the same for adjacent ones
//   magazine.cpp   filling the magazine, giving back, looking up
//   sharing.cpp    references
//   pool_user.cpp  its beginning and its end
#pragma once

#include <array>
#include <mutex>

#include <sapbuf/pool.hpp>

#include "pool/blocks.hpp"
#include "pool/pool_core.hpp"
#include "segment/event_fd.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {

// How often one call made room, of which others may have had what came.
struct Tries {
  static constexpr int kMost = 16;
  static constexpr int kHere = 4;  // before the pool grows
  static constexpr int kMostShed = 256;

  int rounds = 0;
  int shed = 0;  // of these, that made streams let go: each makes some progress, and that comes to an end

  bool here() const noexcept { return rounds - shed < kHere; }
  // The next look is the last one.
  bool are_over() const noexcept { return rounds - shed >= kMost; }
};

// Where it throws there is no room, no memory, or no mapping now.
template <typename Make>
bool succeeds(Make make) noexcept {
  try {
    return make();
  } catch (const std::exception&) {
    return false;
  }
}

struct PoolUserState final : PoolUserHot, ForkHook {
  // `created`: made from the handle that made the pool.
  PoolUserState(std::shared_ptr<PoolCore> pool, const PoolUserOptions& options, bool created);
  ~PoolUserState();

  void after_fork_in_child() noexcept override;

  Buffer acquire() noexcept;
  Buffer acquire_for(std::chrono::nanoseconds timeout) noexcept;
  Acquired acquire_of(std::uint64_t bytes) noexcept;
  Buffer acquire_of_for(std::uint64_t bytes, std::chrono::nanoseconds timeout) noexcept;
  Run acquire_run(std::uint32_t how_many) noexcept;
  void release_run(std::uint32_t first, std::uint32_t how_many) noexcept;
  // See Pool::trim(). Throws Error.
  std::uint64_t trim();
  int event_fd();  // throws Error
  // Behind an attempt that found nothing: what is given to those who wait is given to this user, too, and is there at its next
  // attempt. With size classes it is told that there may be something.
  void arm(EventFd& event_fd, std::uint32_t size_class = 0) noexcept;
  void arm_own_event_fd(Status found, std::uint32_t size_class = 0) noexcept {
    if (found == Status::ok) note_served();
    if (found == Status::exhausted && event_fd_ != nullptr) arm(*event_fd_, size_class);
  }
  // Behind one that took back what the descriptor had asked for.
  void arm_own_event_fd_anew(Status found, std::uint32_t size_class = 0) noexcept;
  Buffer adopt(const BufferReference& reference) noexcept;
  BufferReference share(std::uint32_t buffer, std::uint32_t& root) noexcept;
  // Of buffers that are dying in this user's name (pool/scan.hpp), the last ones: into the magazine, if that is empty, and
  // nobody wants this user to look up. Leaves the others.
  void refill_with(std::vector<layout::Root>& dying) noexcept;
  static PoolUserState& of(const PoolUser& user) noexcept { return static_cast<PoolUserState&>(*user.user_); }
  void release(std::uint32_t buffer, std::uint32_t root) noexcept;
  // The owner's half of the edge magazine: gives all that is in the magazine back if others want it, and tells whether
  // the inlined path may be taken from here on.
  void look_up() noexcept;
  // Whoever gets these has the buffer.
  static Acquired in_words(Buffer&& buffer) noexcept;
  // See pool/hand_over.hpp.
  static const PoolCore* home_of(const Buffer& buffer, Status& status) noexcept;
  static Status hand_over(Buffer& buffer, layout::Word& root) noexcept;
  static layout::Root root_of(const Buffer& buffer) noexcept;
  static const PoolUserHot* user_of(const Buffer& buffer) noexcept { return buffer.user_; }
  static void share_rooted(Buffer& buffer, std::uint32_t now_ms) noexcept;
  static Buffer take_back(PoolUserHot& user, layout::Root root) noexcept;
  // Its PoolUser is gone: detaches now, or with the last buffer.
  void close() noexcept;

  std::uint32_t index() const noexcept { return index_; }
  bool has_at_hand() const noexcept { return at_hand() != 0; }
  // The size class that serves so many bytes.
  std::uint32_t class_of(std::uint64_t bytes) const noexcept { return has_classes ? core_->class_for(bytes) : 0; }

 private:
  static constexpr std::uint64_t kNoBudget = ~std::uint64_t{0};
  static constexpr std::uint64_t kNoTicket = ~std::uint64_t{0};

  // Releases on other threads than the user's own, and all of those that come behind close().
  struct Elsewhere {
    std::mutex mutex;
    std::uint64_t local = 0;
    std::uint64_t shared = 0;
    std::uint64_t left = 0;  // to be released, once it is closed
    bool closed = false;
    std::atomic<bool> any{false};  // whether `local` and `shared` have something
  };

  Status why_not() noexcept;
  // Its magazine for the class of this number.
  Magazine magazine(std::uint32_t number) const noexcept {
    if (!has_classes) return {slot->state, slot->magazine, layout::kMagazine};
    return {class_magazines_[number].state, class_magazines_[number].magazine, layout::kClassMagazine};
  }
  std::uint32_t depth() const noexcept;  // of the only one, where there are no classes
  std::uint64_t at_hand() const noexcept;
  std::uint64_t held() const noexcept { return owned_ - at_hand() + shared_; }
  bool may_use_magazine() const noexcept { return acknowledged != kNever; }
  // Whether somebody wants this user to look up; always, where the inlined path is not taken.
  bool is_wanted() const noexcept { return slot->attention.load(std::memory_order_relaxed) != acknowledged; }
  void update_hot() noexcept;
  void count_elsewhere() noexcept;

  // Takes up to `most` free buffers into the magazine, which is empty. False: none was free.
  bool refill(std::uint32_t most) noexcept;
  // `depth`: how many stand in the magazine before that.
  void note_at_hand(std::uint32_t number, std::uint32_t depth, std::uint32_t buffer, std::uint32_t now_ms) noexcept;
  void note_refilled(std::uint32_t taken) noexcept;
  // From the magazine: false if others want it, or it is empty.
  bool pop(Buffer& taken) noexcept;
  // One that is free, past the magazine.
  bool take_free(Buffer& taken) noexcept;
  // Takes free ones for as long as `take(buffer)` returns true, and there are some where it found the first one. False:
  // none was free.
  template <typename Take>
  bool find_free(Take take) noexcept;
  // In which chunks: those that this user split, and that are worth a look; free ones, of which it splits one; all that
  // are worth a look; all that are split.
  enum class Among { own, free, noted, all };
  template <typename Take>
  bool find_free_among(Among which, Take& take) noexcept;
  template <typename Take>
  bool find_free_in(std::uint32_t chunk, Take& take) noexcept;
  std::uint32_t promised() const noexcept;
  Buffer accept(std::uint32_t buffer) noexcept;
  bool accept_given(std::uint32_t buffer, Buffer& taken) noexcept;
  // Looks up; Status::ok if it may have so many more.
  Status prepare_to_acquire(std::uint32_t how_many) noexcept;
  void take_back_request() noexcept;
  void count_acquired(std::uint32_t how_many) noexcept;
  // Gives back the topmost ones of a magazine.
  void give_back(std::uint32_t number, std::uint32_t how_many) noexcept;
  void empty_magazines() noexcept;
  void put_back(std::uint32_t number, std::uint32_t buffer) noexcept;
  void release_elsewhere(std::uint32_t buffer, std::uint32_t root) noexcept;
  // It had the buffer, and has it no more; `root` as of Buffer.
  void has_no_more(std::uint32_t root) noexcept;
  void count_released_elsewhere(std::uint32_t how_many, bool is_shared) noexcept;
  std::uint32_t take_root() noexcept;

  // Takes back what the dead had; and what others have at hand, what nobody holds any more, or what is kept for want of need;
  // or lets the pool grow, which comes first unless it is to be `here`. Whether there may be something now.
  bool make_room(bool here) noexcept;
  bool make_room_here();  // throws Error
  bool grow();            // throws Error
  // Others let it grow since the last look began, and may have had what they made, and given it back.
  bool has_grown() const noexcept { return core_->count() > looked_among_; }
  // For adjacent ones: takes back what the dead had, what others have at hand, and what nobody holds, and joins what is
  // free.
  bool take_back_unused() noexcept;
  // What is kept for want of need, what has no memory now, or what the pool may grow by. What is shed makes no run by itself:
  // the pool grows before all of it is let go of.
  bool get_room_for_run(std::uint32_t how_many, Tries& tries) noexcept;
  bool grow_for_run(std::uint32_t how_many);  // throws Error
  bool free_unused();                         // throws Error
  // With size classes: see sizes.cpp.
  std::uint32_t magazine_of(std::uint32_t buffer) const noexcept;
  std::uint32_t capacity_of(std::uint32_t number) const noexcept;
  // Whether others come first. They may not be allowed to let the pool grow: so it does, by one step.
  bool gives_way(std::uint32_t size_class) noexcept;
  // Without making room.
  Buffer take_in_turn(std::uint32_t size_class) noexcept;
  bool refill_class(std::uint32_t size_class) noexcept;
  template <typename Take>
  std::uint32_t take_of_class(std::uint32_t size_class, Take take) noexcept;
  std::uint32_t pop_class(std::uint32_t size_class) noexcept;
  Buffer search_class(std::uint32_t size_class) noexcept;  // making room
  Buffer acquire_of_class(std::uint32_t size_class) noexcept;
  Buffer of_class(std::uint32_t size_class, std::uint32_t buffer) noexcept;
  bool form(std::uint32_t size_class, Place place) noexcept;
  bool make_room_for_class(std::uint32_t size_class, Tries& tries) noexcept;  // as make_room()
  // Waiting: see pool/waiters.hpp.
  Status why_stop_waiting(std::uint64_t deadline_ns) noexcept;
  enum class Asks { for_one, to_be_told };
  void ask(Asks what) noexcept;
  void request(layout::Request what) noexcept;
  void take_out_of_turn(Buffer& taken) noexcept;
  // When one with a descriptor looks for what nobody tells of: what nobody holds any more, or is kept for want of need.
  std::uint64_t look_again_ns() noexcept;
  bool take_given(Buffer& taken) noexcept;
  void note_served() noexcept {
    nap_ns_ = 0;
    kept_ticket_ = kNoTicket;
  }
  // Ends the request, or leaves what somebody is about to give, and is stopped. False: something was given meanwhile.
  bool withdraw(Buffer& taken) noexcept;
  bool take_what_it_left(Buffer& taken) noexcept;

  void light_fence() const noexcept;
  // Of what a buffer does, which may have outlived the PoolUser: then it is no thread's.
  void note_thread() noexcept {
    if (thread.load(std::memory_order_relaxed) != nullptr) thread.store(this_thread_mark(), std::memory_order_relaxed);
  }

  const std::shared_ptr<PoolCore> core_;
  const std::atomic<bool>* const stop_;
  const bool full_fences_;
  const bool may_grow_;
  const std::uint64_t budget_;
  const std::uint64_t where_;  // of references
  Attachment attachment_;
  std::uint32_t index_ = 0;         // of the slot
  std::uint32_t next_ = 0;          // where the next search begins
  std::uint64_t looked_up_ = 0;     // the `attention` that was acted upon
  std::uint64_t owned_ = 0;         // buffers whose words say that they are this user's
  std::uint64_t at_hand_ = 0;       // of these, with size classes: in magazines
  std::uint64_t shared_ = 0;        // its roots
  std::uint32_t looked_among_ = 0;  // as many buffers, by the last look
  std::uint64_t recovery_tried_ns_ = 0;
  std::uint64_t kept_ticket_ = kNoTicket;                 // of a request that it took back, and makes again
  std::uint64_t nap_ns_ = 0;                              // until the descriptor became readable by itself, last
  std::unique_ptr<EventFd> event_fd_;                     // null until somebody asks for it
  std::array<std::uint32_t, layout::kRoots> free_roots_;  // but those that were released elsewhere
  std::uint32_t free_root_count_ = 0;
  // With size classes: its magazines; for each of them the chunk where it found one last; and where it formed a block
  // last.
  layout::ClassMagazine* class_magazines_ = nullptr;
  std::vector<std::uint32_t> near_;
  std::uint32_t formed_ = 0;
  Elsewhere elsewhere_;
  bool forked_ = false;
};

}  // namespace SAPBUF_DETAIL
