// A cell: one small value of a type, replaced by many, read by many.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <sapbuf/abi.hpp>
#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/duration.hpp>
#include <sapbuf/layout/cell_control.hpp>
#include <sapbuf/options.hpp>
#include <sapbuf/segment.hpp>

SAPBUF_BEGIN

struct CellOptions {
  std::string name{};  // of this handle, for people; 63 bytes are kept. Empty: the program's name and pid
  // A wait ends within milliseconds once this becomes true. Must outlive the handle; null: nothing stops a wait.
  const std::atomic<bool>* stop = nullptr;
};

namespace detail {

// What the inlined paths touch: private memory. `control` is null where they must not be taken: forked, closed.
struct CellHot {
  layout::CellControl* control = nullptr;
  const layout::CellSlot* slot = nullptr;
  std::byte* copies_at = nullptr;
  std::uint64_t copy_bytes = 0;
  std::uint64_t tenure = 0;  // what the slot says as long as it is this handle's
  std::uint32_t copies = 0;
  std::uint32_t first_copy = 0;  // of the own ones
  std::uint32_t next_copy = 0;   // counted from that one
  bool full_fences = false;

  layout::CellCopy& copy(std::uint32_t number) const noexcept {
    return *reinterpret_cast<layout::CellCopy*>(copies_at + number * copy_bytes);
  }
  // One of the own copies that nobody finds, as long as this handle does not publish it.
  std::uint32_t take_copy(layout::CellCurrent seen) noexcept {
    if (first_copy + next_copy == seen.copy()) next_copy = (next_copy + 1) % layout::kCellCopies;
    const std::uint32_t taken = first_copy + next_copy;
    next_copy = (next_copy + 1) % layout::kCellCopies;
    return taken;
  }
};

// Both throw Error: not_found, incompatible (values of another size), registry_full, and what opening a facility throws. With
// `initial` the cell is made if it is not there.
std::shared_ptr<CellHot> open_cell(const Segment& segment, std::string_view name, std::size_t bytes,
                                   const std::byte* initial, const CellOptions& options);
bool remove_cell(const Segment& segment, std::string_view name);
// Behind the inlined paths: throws Error, which says why this handle cannot go on.
[[noreturn]] void refuse(const CellHot* cell);
// Whether this handle can: its value was overtaken, and nothing worse.
void check_overtaken(const CellHot& cell, layout::CellCurrent seen, std::uint32_t& times);
void wake_cell(CellHot& cell) noexcept;
bool wait_cell_changed(CellHot& cell, std::uint64_t seen, Milliseconds timeout);
std::uint32_t slot_of(const CellHot* cell) noexcept;

// --- A value as its words, of which each copy has as many

constexpr std::size_t words_of(std::size_t bytes) noexcept {
  return (bytes + sizeof(layout::Word) - 1) / sizeof(layout::Word);
}

[[gnu::always_inline]] inline CellHot& readable(CellHot* cell) {
  if (cell == nullptr || cell->control == nullptr) [[unlikely]]
    refuse(cell);
  return *cell;
}
[[gnu::always_inline]] inline CellHot& writable(CellHot* cell) {
  if (cell == nullptr || cell->control == nullptr || cell->slot->tenure.load(std::memory_order_relaxed) != cell->tenure)
      [[unlikely]]
    refuse(cell);
  return *cell;
}

// The newest value, and which one it is.
[[gnu::always_inline]] inline layout::CellCurrent load_words(const CellHot& cell, std::uint64_t* words,
                                                             std::size_t count) {
  for (std::uint32_t times = 0;;) {
    // cell: acquire.
    const layout::CellCurrent at{cell.control->current.load(std::memory_order_acquire)};
    if (at.copy() >= cell.copies) [[unlikely]]
      refuse(&cell);
    SAPBUF_KILL_POINT(cell_seen);
    layout::CellCopy& copy = cell.copy(at.copy());
    const layout::Word* const from = copy.bytes();
    for (std::size_t i = 0; i < count; ++i) words[i] = from[i].load(std::memory_order_relaxed);
    // copy: acquire fence, then the version.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (copy.version.load(std::memory_order_relaxed) == at.version()) [[likely]]
      return at;
    check_overtaken(cell, at, times);
  }
}

[[gnu::always_inline]] inline void fill_words(layout::CellCopy& copy, const std::uint64_t* words,
                                              std::size_t count) noexcept {
  // copy: unfinished, release fence, then the bytes.
  copy.version.store(layout::CellCopy::kUnfinished, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  SAPBUF_KILL_POINT(cell_begun);
  layout::Word* const to = copy.bytes();
  for (std::size_t i = 0; i < count; ++i) to[i].store(words[i], std::memory_order_relaxed);
  SAPBUF_KILL_POINT(cell_filled);
}

// False: another value came in between, and `seen` is that one.
[[gnu::always_inline]] inline bool publish_copy(CellHot& cell, std::uint32_t number, layout::CellCurrent& seen) {
  if (seen.copy() >= cell.copies) [[unlikely]]
    refuse(&cell);
  cell.copy(number).version.store(seen.version() + 1, std::memory_order_relaxed);
  SAPBUF_KILL_POINT(cell_versioned);
  const layout::CellCurrent wanted = layout::CellCurrent::make(seen.version() + 1, number);
  // cell: release, behind the copy.
  if (!cell.control->current.compare_exchange_strong(seen.word, wanted.word, std::memory_order_acq_rel,
                                                     std::memory_order_relaxed)) {
    return false;
  }
  SAPBUF_KILL_POINT(cell_published);
  // sleep: behind the change; light, for who sleeps makes the heavy fence.
  if (cell.full_fences) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  if (cell.control->changed.is_awaited()) [[unlikely]]
    wake_cell(cell);
  return true;
}

// Makes the words the newest value; its version.
[[gnu::always_inline]] inline std::uint64_t store_words(CellHot& cell, const std::uint64_t* words, std::size_t count) {
  layout::CellCurrent seen{cell.control->current.load(std::memory_order_relaxed)};
  const std::uint32_t number = cell.take_copy(seen);
  fill_words(cell.copy(number), words, count);
  while (!publish_copy(cell, number, seen)) {
  }
  return seen.version() + 1;
}

// Calls `change`, which changes the words of the newest value, until no other value came in between.
template <typename Change>
[[gnu::always_inline]] inline std::uint64_t update_words(CellHot& cell, std::uint64_t* words, std::size_t count,
                                                         Change change) {
  for (;;) {
    layout::CellCurrent seen = load_words(cell, words, count);
    change();
    const std::uint32_t number = cell.take_copy(seen);
    fill_words(cell.copy(number), words, count);
    if (publish_copy(cell, number, seen)) return seen.version() + 1;
  }
}

}  // namespace detail

// One value of type T, for all who open it by its name. Any number of handles may store at once: nobody waits for anybody,
// whether that one is slow, stopped or killed, and there is always room. Who reads gets one of the values that were stored,
// whole. A Cell<const T> reads only. Values are trivially copyable, without pointers, of up to 4 KiB, and of the same type for
// everybody, which nobody checks beyond its size.
//
// A handle is a participant of the segment, and one thread's at a time. Move-only. Calls throw Error where this handle cannot
// go on: forked, declared_dead, corrupt, not_found if the cell was removed, invalid_argument if it was moved from.
template <typename T>
class Cell {
 public:
  using Value = std::remove_const_t<T>;
  static_assert(std::is_trivially_copyable_v<Value> && sizeof(Value) <= layout::kMaxCellBytes);
  static constexpr bool kReadsOnly = std::is_const_v<T>;

  // Opens the cell; one that is not there is made, with a zeroed or the given value as version 0, unless this handle reads
  // only: Errc::not_found then. Throws Errc::incompatible where values have another size, and as Stream::open_or_create() and
  // the constructor of Reader.
  Cell(const Segment& segment, std::string_view name, const CellOptions& options = {})
      : hot_(open(segment, name, Bytes{}, options)) {}
  Cell(const Segment& segment, std::string_view name, const Value& initial,
       const CellOptions& options = {}) requires(!kReadsOnly)
      : hot_(open(segment, name, std::bit_cast<Bytes>(initial), options)) {}

  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;
  Cell(Cell&&) noexcept = default;
  Cell& operator=(Cell&&) noexcept = default;

  // As Stream::remove().
  static bool remove(const Segment& segment, std::string_view name) { return detail::remove_cell(segment, name); }

  // The newest value. Makes no system call and stores nothing; begins anew each time that one writer stored four values while
  // this copied one.
  Value load() const { return load_versioned().first; }
  // The same, with the number of values that there were before it.
  std::pair<Value, std::uint64_t> load_versioned() const {
    Words words;
    const layout::CellCurrent at = detail::load_words(detail::readable(hot_.get()), words.data(), kWords);
    return {value_of(words), at.version()};
  }
  // Grows with each value.
  std::uint64_t version() const {
    const detail::CellHot& cell = detail::readable(hot_.get());
    return layout::CellCurrent{cell.control->current.load(std::memory_order_acquire)}.version();
  }

  // Makes this the newest value; its version.
  std::uint64_t store(const Value& value) requires(!kReadsOnly) {
    const Words words = words_of(value);
    return detail::store_words(detail::writable(hot_.get()), words.data(), kWords);
  }

  // Calls `f(value)` with the newest value, which it changes: that is stored, if no other one was meanwhile; otherwise it begins
  // anew, so `f` may be called several times. What it throws comes out, and nothing was stored. The value's version.
  template <typename F>
  std::uint64_t update(F f) requires(!kReadsOnly) {
    Words words;
    return detail::update_words(detail::writable(hot_.get()), words.data(), kWords, [&] {
      Value value = value_of(words);
      f(value);
      words = words_of(value);
    });
  }

  // Waits until the version is another one than `seen`: true. False after the timeout, or once CellOptions::stop says so.
  bool wait_changed(std::uint64_t seen, Milliseconds timeout) const {
    return detail::wait_cell_changed(detail::readable(hot_.get()), seen, timeout);
  }

  std::uint32_t slot() const noexcept { return detail::slot_of(hot_.get()); }  // index in the registry
  void close() noexcept { hot_.reset(); }

 private:
  static constexpr std::size_t kWords = detail::words_of(sizeof(Value));
  using Bytes = std::array<std::byte, sizeof(Value)>;
  using Words = std::array<std::uint64_t, kWords>;

  static std::shared_ptr<detail::CellHot> open(const Segment& segment, std::string_view name, const Bytes& initial,
                                               const CellOptions& options) {
    return detail::open_cell(segment, name, sizeof(Value), kReadsOnly ? nullptr : initial.data(), options);
  }

  static Words words_of(const Value& value) noexcept {
    Words words{};
    std::memcpy(words.data(), &value, sizeof value);
    return words;
  }
  static Value value_of(const Words& words) noexcept {
    Bytes bytes;
    std::memcpy(bytes.data(), words.data(), sizeof bytes);
    return std::bit_cast<Value>(bytes);
  }

  std::shared_ptr<detail::CellHot> hot_;
};

// A Cell whose values are bytes, and whose size is known only while the program runs: for what other languages keep there. The same
// cells, and the same promises.
class UntypedCell {
 public:
  // For values of `size` bytes, 1 to 4096. One that is not there is made, with the value `initial` (empty: zeroes) as version 0.
  // Throws as the constructors of Cell, and Errc::invalid_argument for other sizes.
  static UntypedCell open_or_create(const Segment& segment, std::string_view name, std::size_t size,
                                    std::span<const std::byte> initial = {}, const CellOptions& options = {});
  // To read only: Errc::not_found if it is not there; storing throws Errc::permission_denied.
  static UntypedCell open_to_read(const Segment& segment, std::string_view name, std::size_t size,
                                  const CellOptions& options = {});

  UntypedCell(const UntypedCell&) = delete;
  UntypedCell& operator=(const UntypedCell&) = delete;
  UntypedCell(UntypedCell&&) noexcept = default;
  UntypedCell& operator=(UntypedCell&&) noexcept = default;

  static bool remove(const Segment& segment, std::string_view name) { return detail::remove_cell(segment, name); }

  std::size_t size() const noexcept { return size_; }

  // As those of Cell; values have size() bytes, or else Errc::invalid_argument.
  std::uint64_t load(std::span<std::byte> value) {
    check_size(value.size());
    const layout::CellCurrent at = detail::load_words(detail::readable(hot_.get()), words_.data(), words_.size());
    std::memcpy(value.data(), words_.data(), size_);
    return at.version();
  }
  std::uint64_t version() const {
    const detail::CellHot& cell = detail::readable(hot_.get());
    return layout::CellCurrent{cell.control->current.load(std::memory_order_acquire)}.version();
  }
  std::uint64_t store(std::span<const std::byte> value) {
    check_size(value.size());
    detail::CellHot& cell = writable();
    std::memcpy(words_.data(), value.data(), size_);
    return detail::store_words(cell, words_.data(), words_.size());
  }
  // `f(bytes)` changes a copy of the newest value in place.
  template <typename F>
  std::uint64_t update(F f) {
    const std::span bytes{reinterpret_cast<std::byte*>(words_.data()), size_};
    return detail::update_words(writable(), words_.data(), words_.size(), [&] { f(bytes); });
  }
  bool wait_changed(std::uint64_t seen, Milliseconds timeout) const {
    return detail::wait_cell_changed(detail::readable(hot_.get()), seen, timeout);
  }

  std::uint32_t slot() const noexcept { return detail::slot_of(hot_.get()); }
  void close() noexcept { hot_.reset(); }

 private:
  UntypedCell(std::shared_ptr<detail::CellHot> hot, std::size_t size, bool reads_only)
      : hot_(std::move(hot)), words_(detail::words_of(size)), size_(size), reads_only_(reads_only) {}

  detail::CellHot& writable() const;
  void check_size(std::size_t size) const {
    if (size != size_) [[unlikely]]
      refuse_size(size);
  }
  [[noreturn]] void refuse_size(std::size_t size) const;

  std::shared_ptr<detail::CellHot> hot_;
  std::vector<std::uint64_t> words_;  // a value under way
  std::size_t size_;
  bool reads_only_;
};

SAPBUF_END
