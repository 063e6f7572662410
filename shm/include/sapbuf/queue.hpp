// A queue: blocks of memory that each go to one of many consumers, and to another one if that dies.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sapbuf/abi.hpp>
#include <sapbuf/duration.hpp>
#include <sapbuf/layout/queue_word.hpp>
#include <sapbuf/options.hpp>
#include <sapbuf/pool.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/status.hpp>

SAPBUF_BEGIN

class Consumer;
class Producer;

namespace detail {

class QueueCore;
struct ConsumerState;
struct ProducerState;

}  // namespace detail

struct QueueOptions {
  // The segment's pool whose buffers are the blocks, of one size; empty: the queue makes one of its own, named after it
  // with ".blocks" behind, which goes with it unless somebody uses it.
  std::string pool{};
  std::uint64_t slots = 1024;  // blocks that wait to be taken; rounded up to a power of two, 2^24 at the most
  // Of consumers, 1 to 8: each group gets every block, and in a group each block goes to one.
  std::uint32_t groups = 1;
  // A block that was delivered so often, and that nobody was done with, is a dead letter: up to 1023; 0: there are
  // none.
  std::uint32_t max_deliveries = 0;
  // The queue that dead letters go to, with the names of the last 16 who had them; it is made if it is not there, with
  // the same pool. Empty: they stay where they are. Not for several groups.
  std::string dead_letters{};
  // Blocks of one key are worked on one after the other, in their order, and those of other keys meanwhile, by as many
  // lanes as this says; rounded up to a power of two, 65,536 at the most. Keys that share a lane, by their hash, wait for
  // each other: so of the other keys one in so many waits for a key that is busy. 0: keys mean nothing to this queue.
  std::uint64_t keys = 0;
  // block, or drop: what does not fit goes back to the pool, or is not reserved, and is counted.
  OnFull on_full = OnFull::block;
  std::uint64_t block_bytes = 4096;  // of its own pool
  // Buffers of its own pool, which grows to twice as many; 0: a quarter more than slots, and 256.
  std::uint64_t blocks = 0;
};

// A shared handle, like Pool. Thread-safe.
class Queue {
 public:
  // As Pool::create(), open(), open_or_create() and remove(); Errc::not_found also for a pool that is not there. A pool
  // that a queue needs, and the queue of its dead letters, cannot be removed before it. That queue stays, and keeps the
  // pool.
  static Queue create(const Segment& segment, std::string_view name, const QueueOptions& options = {});
  static Queue open(const Segment& segment, std::string_view name);
  static Queue open_or_create(const Segment& segment, std::string_view name, const QueueOptions& options = {});
  static bool remove(const Segment& segment, std::string_view name);

  const Segment& segment() const noexcept { return segment_; }
  const std::string& name() const;
  bool created() const;  // true if the call that gave this handle made the queue
  QueueOptions options() const;
  // What is otherwise than `asked`, in words.
  std::vector<std::string> differences(const QueueOptions& asked) const;
  bool is_current() const;  // false once the queue was removed, or its segment
  std::size_t block_bytes() const;
  std::size_t bytes() const;  // of its region; its pool has another

  // For the library's own parts.
  const std::shared_ptr<detail::QueueCore>& core() const;
  Queue(Segment segment, std::shared_ptr<detail::QueueCore> core, bool created) noexcept;

 private:
  Segment segment_;
  std::shared_ptr<detail::QueueCore> core_;
  bool created_ = false;
};

// A block that a producer has reserved: its memory is the producer's alone.
class ReservedBlock {
 public:
  std::span<std::byte> bytes() const noexcept { return buffer_.bytes(); }  // all of it
  // How many of them are used: what the consumer sees. All, unless this is called.
  void resize(std::size_t used) noexcept {
    length_ = static_cast<std::uint32_t>(used < buffer_.bytes().size() ? used : buffer_.bytes().size());
  }
  std::size_t size() const noexcept { return length_; }
  void set_type(std::uint16_t type) noexcept { type_ = type; }  // yours to choose
  std::uint16_t type() const noexcept { return type_; }
  // What must not be worked on beside others of the same key: see QueueOptions::keys. Any number. It goes with the block
  // to other queues, also to those that have no lanes.
  void set_key(std::uint64_t key) noexcept {
    key_ = key;
    has_key_ = true;
  }

 private:
  friend struct detail::ProducerState;
  explicit ReservedBlock(Buffer&& buffer) noexcept : buffer_(std::move(buffer)) {
    length_ = static_cast<std::uint32_t>(buffer_.bytes().size());
  }

  Buffer buffer_;
  std::uint32_t length_ = 0;
  std::uint16_t type_ = 0;
  bool has_key_ = false;
  std::uint64_t key_ = 0;
};

// What one call of reserve() gave: blocks, or the reason why there are none. Move-only; its producer's thread's. What
// was not released goes back to the pool with it. It may outlive the producer.
class [[nodiscard]] ReservedBlocks {
 public:
  ReservedBlocks() noexcept = default;
  ReservedBlocks(ReservedBlocks&& other) noexcept
      : producer_(std::exchange(other.producer_, nullptr)),
        blocks_(std::move(other.blocks_)),
        first_(std::exchange(other.first_, 0)),
        status_(std::exchange(other.status_, Status::closed)) {}
  ReservedBlocks& operator=(ReservedBlocks&& other) noexcept {
    if (this != &other) {
      let_go();
      producer_ = std::exchange(other.producer_, nullptr);
      blocks_ = std::move(other.blocks_);
      first_ = std::exchange(other.first_, 0);
      status_ = std::exchange(other.status_, Status::closed);
    }
    return *this;
  }
  ~ReservedBlocks() { let_go(); }

  explicit operator bool() const noexcept { return !empty(); }
  // Why there are none; behind release(): why it released fewer than it was asked to.
  Status status() const noexcept { return status_; }
  std::size_t size() const noexcept { return blocks_.size() - first_; }
  bool empty() const noexcept { return size() == 0; }
  ReservedBlock* begin() noexcept { return blocks_.data() + first_; }
  ReservedBlock* end() noexcept { return blocks_.data() + blocks_.size(); }
  ReservedBlock& operator[](std::size_t number) noexcept { return blocks_[first_ + number]; }

  // Hands the first `count` over, in order, and says how many that were: those are the consumers' from then on,
  // whatever becomes of this process, and here no more. The rest stays. Where the queue is full it waits, up to the
  // producer's timeout (policy block), or gives back what does not fit (drop). Each is released by itself: who is
  // killed meanwhile has released the first ones. Status::stale, or other_segment, at a block that was moved here from
  // a queue on another pool: that one and those behind it stay.
  std::size_t release(std::size_t count) noexcept;
  std::size_t release() noexcept { return release(size()); }

 private:
  friend struct detail::ProducerState;
  explicit ReservedBlocks(Status why_not) noexcept : status_(why_not) {}
  void let_go() noexcept;

  detail::ProducerState* producer_ = nullptr;
  std::vector<ReservedBlock> blocks_;
  std::size_t first_ = 0;
  Status status_ = Status::closed;
};

struct ProducerOptions {
  std::string name{};                       // for people; 63 bytes are kept. Empty: the program's name and pid
  Milliseconds timeout = kForever;          // policy block: how long release() may wait for room
  const std::atomic<bool>* stop = nullptr;  // as WriterOptions::stop
};

// A participant of a queue who releases blocks. One thread at a time may use it. Move-only.
class Producer {
 public:
  // Throws as the constructor of PoolUser.
  explicit Producer(const Queue& queue, const ProducerOptions& options = {});
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  ~Producer();

  // 0 to `up_to` blocks of the pool, as many as there is room for in the queue; what stands in them is what others
  // left. Without one: full, exhausted, closed, forked, declared_dead, corrupt. Stalls nobody, however long they are
  // kept. In a queue that drops, one that finds no room, or no buffer, counts as a block that was dropped.
  ReservedBlocks reserve(std::size_t up_to) noexcept;
  // Waits for one at the least; not for none. Also timeout, stopped. A wait runs recovery by itself.
  ReservedBlocks reserve_for(std::size_t up_to, std::chrono::nanoseconds timeout) noexcept;
  template <typename Rep, typename Period>
  ReservedBlocks reserve_for(std::size_t up_to, std::chrono::duration<Rep, Period> timeout) noexcept {
    return reserve_for(up_to, detail::saturated<std::chrono::nanoseconds>(timeout));
  }
  // A block with these bytes, released. Status: as reserve(), too_large, and, where another one fills the queue
  // meanwhile and release() waits, timeout, stopped.
  Status push(std::span<const std::byte> bytes, std::uint16_t type = 0) noexcept;
  // A descriptor to wait on, as Reader::event_fd(): readable when there may be room in the queue, or a buffer in its pool, until a
  // reserve() or a release() finds none. Throws Errc::forked, Errc::resource_exhausted, Errc::invalid_argument once closed.
  int event_fd();

  std::uint32_t slot() const noexcept;  // index in the registry
  void close() noexcept;                // using it afterwards gives Status::closed

 private:
  friend class TakenBlock;
  detail::ProducerState* producer_ = nullptr;
};

// A block that a consumer has taken. It is this consumer's until it says what became of it, or dies, however long that
// takes. Move-only; its consumer's thread's. The destructor puts it back. It may outlive the consumer.
class [[nodiscard]] TakenBlock {
 public:
  TakenBlock() noexcept = default;
  TakenBlock(TakenBlock&& other) noexcept
      : consumer_(std::exchange(other.consumer_, nullptr)),
        data_(other.data_),
        length_(other.length_),
        block_(other.block_),
        word_(other.word_),
        lane_(other.lane_),
        type_(other.type_) {}
  TakenBlock& operator=(TakenBlock&& other) noexcept {
    if (this != &other) {
      put_back();
      consumer_ = std::exchange(other.consumer_, nullptr);
      data_ = other.data_;
      length_ = other.length_;
      block_ = other.block_;
      word_ = other.word_;
      lane_ = other.lane_;
      type_ = other.type_;
    }
    return *this;
  }
  ~TakenBlock() { put_back(); }

  explicit operator bool() const noexcept { return consumer_ != nullptr; }
  // What the producer filled in; this consumer's to write into, too, if it is the only group.
  std::span<std::byte> bytes() const noexcept { return {data_, length_}; }
  std::uint16_t type() const noexcept { return type_; }
  // Nothing if it has none, or is this consumer's no more.
  std::optional<std::uint64_t> key() const noexcept;
  // How often it was taken, this time included: 2 and more if somebody had it who died, or put it back.
  std::uint32_t deliveries() const noexcept { return layout::BlockWord{word_}.deliveries(); }
  // Grows with each block that is released: the order of the queue.
  std::uint64_t position() const noexcept { return layout::BlockWord{word_}.position(); }

  // It is done with, and gone. False, as the two below: it was not this consumer's any more (gone before; declared
  // dead; forked).
  bool done() noexcept;
  // Another consumer gets it, or this one again, before any newer one; a dead letter after `max_deliveries`.
  bool put_back() noexcept { return consumer_ != nullptr && give_back(std::chrono::nanoseconds{0}); }
  // The same, once so much time has gone by.
  template <typename Rep, typename Period>
  bool put_back_after(std::chrono::duration<Rep, Period> delay) noexcept {
    return give_back(detail::saturated<std::chrono::nanoseconds>(delay));
  }
  // The same as if this delivery had not been; a dead letter (Consumer::take_dead), as if it had never been delivered.
  bool retry() noexcept;
  // Releases it to the queue of that producer, with what was written into it, and `used` of its bytes: done with here,
  // and there at the same moment, whoever dies meanwhile. It needs no room there. Status::stale for a queue on another
  // pool, other_segment; not_alone in a queue of several groups: then it is held still.
  Status pass_to(Producer& producer, std::size_t used, std::uint16_t type) noexcept;
  Status pass_to(Producer& producer) noexcept { return pass_to(producer, length_, type_); }
  // With a copy of `answer` in place of what stands in it; where it cannot be passed on, what stands in it stays. Also
  // too_large.
  Status pass_to(Producer& producer, std::span<const std::byte> answer, std::uint16_t type) noexcept;
  // All of its bytes, for an answer that is longer than the question.
  std::span<std::byte> room() const noexcept;

 private:
  friend struct detail::ConsumerState;

  bool give_back(std::chrono::nanoseconds delay) noexcept;
  Status pass(Producer& producer, std::span<const std::byte> answer, std::size_t used, std::uint16_t type) noexcept;

  detail::ConsumerState* consumer_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint32_t length_ = 0;
  std::uint32_t block_ = 0;
  std::uint64_t word_ = 0;
  std::uint32_t lane_ = ~std::uint32_t{0};  // that is claimed for it
  std::uint16_t type_ = 0;
};

// What one call of take() gave. Move-only, as the blocks in it.
class [[nodiscard]] TakenBlocks {
 public:
  TakenBlocks() noexcept = default;
  TakenBlocks(TakenBlocks&& other) noexcept
      : consumer_(std::exchange(other.consumer_, nullptr)),
        blocks_(std::move(other.blocks_)),
        status_(std::exchange(other.status_, Status::closed)) {}
  TakenBlocks& operator=(TakenBlocks&& other) noexcept {
    if (this != &other) {
      let_go();
      consumer_ = std::exchange(other.consumer_, nullptr);
      blocks_ = std::move(other.blocks_);
      status_ = std::exchange(other.status_, Status::closed);
    }
    return *this;
  }
  ~TakenBlocks() { let_go(); }

  explicit operator bool() const noexcept { return !blocks_.empty(); }
  Status status() const noexcept { return status_; }  // why there are none: not_found, timeout, stopped, closed, ...
  std::size_t size() const noexcept { return blocks_.size(); }
  bool empty() const noexcept { return blocks_.empty(); }
  TakenBlock* begin() noexcept { return blocks_.data(); }
  TakenBlock* end() noexcept { return blocks_.data() + blocks_.size(); }
  TakenBlock& operator[](std::size_t number) noexcept { return blocks_[number]; }

 private:
  friend struct detail::ConsumerState;
  friend class Consumer;

  void let_go() noexcept;

  detail::ConsumerState* consumer_ = nullptr;
  std::vector<TakenBlock> blocks_;
  Status status_ = Status::closed;
};

struct ConsumerOptions {
  std::string name{};                       // for people; 63 bytes are kept. Empty: the program's name and pid
  std::uint32_t group = 0;                  // below QueueOptions::groups
  const std::atomic<bool>* stop = nullptr;  // as ReaderOptions::stop
};

// A participant of a queue who takes blocks. One thread at a time may use it. Move-only.
class Consumer {
 public:
  // Throws as the constructor of PoolUser; Errc::invalid_argument for a group that there is not.
  explicit Consumer(const Queue& queue, const ConsumerOptions& options = {});
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  ~Consumer();

  // 0 to `up_to` blocks, in order: those that were put back first, as far as they are due; in a queue with keys, one of
  // each lane at the most.
  TakenBlocks take(std::size_t up_to) noexcept;
  // Waits for one at the least; not for none.
  TakenBlocks take_for(std::size_t up_to, std::chrono::nanoseconds timeout) noexcept;
  template <typename Rep, typename Period>
  TakenBlocks take_for(std::size_t up_to, std::chrono::duration<Rep, Period> timeout) noexcept {
    return take_for(up_to, detail::saturated<std::chrono::nanoseconds>(timeout));
  }
  // One: empty if there is none, or none came.
  TakenBlock take() noexcept;
  // Waits for it.
  TakenBlock take_for(std::chrono::nanoseconds timeout) noexcept;
  template <typename Rep, typename Period>
  TakenBlock take_for(std::chrono::duration<Rep, Period> timeout) noexcept {
    return take_for(detail::saturated<std::chrono::nanoseconds>(timeout));
  }
  // 0 to `up_to` dead letters of this group that stay in this queue, in order (those of QueueOptions::dead_letters are that queue's
  // blocks). done() discards one, retry() hands it out again; put back, it is a dead letter again. Walks over all blocks.
  TakenBlocks take_dead(std::size_t up_to) noexcept;
  // Whether there is one to be taken, once there is, or the time is over; another one may be faster. A wait runs
  // recovery by itself.
  bool wait_for(std::chrono::nanoseconds timeout) noexcept;
  template <typename Rep, typename Period>
  bool wait_for(std::chrono::duration<Rep, Period> timeout) noexcept {
    return wait_for(detail::saturated<std::chrono::nanoseconds>(timeout));
  }
  // A descriptor to wait on, as Reader::event_fd(): readable when there may be a block, until a take() or a wait_for() finds
  // none. Throws Errc::forked, Errc::resource_exhausted, Errc::invalid_argument once closed.
  int event_fd();

  std::uint32_t slot() const noexcept;  // index in the registry
  // Using it afterwards gives Status::closed. It detaches now, or when the last of its blocks goes.
  void close() noexcept;

 private:
  detail::ConsumerState* consumer_ = nullptr;
};

SAPBUF_END
