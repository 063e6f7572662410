// The words of the stream's tests: numbered messages that tell who wrote them, logs of what readers got, memory to try
// things in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace sapbuf {

// So that a failed comparison says what was there.
std::ostream& operator<<(std::ostream& out, Order order);
std::ostream& operator<<(std::ostream& out, OnFull on_full);
std::ostream& operator<<(std::ostream& out, Fences fences);
std::ostream& operator<<(std::ostream& out, Status status);
std::ostream& operator<<(std::ostream& out, Errc code);
std::ostream& operator<<(std::ostream& out, Role role);
std::ostream& operator<<(std::ostream& out, Liveness liveness);
std::ostream& operator<<(std::ostream& out, From from);

}  // namespace sapbuf

namespace sapbuf::test {

inline const Order kOrders[] = {Order::per_writer, Order::total};
inline const OnFull kPolicies[] = {OnFull::block, OnFull::drop, OnFull::overwrite};

// What the call throws: its code, or its message. `nothing()` and "" if it throws no Error.
inline constexpr auto nothing() { return static_cast<Errc>(0); }
Errc error_of(const std::function<void()>& call);
std::string message_of(const std::function<void()>& call);

// A process that was killed and reaped has no memory any more; one that was only killed may be found out before.
inline bool is_proof_of_death(std::string_view proof) { return proof == "ofd-lock-free" || proof == "process-ended"; }

// --- Messages ------------------------------------------------------------------------------------------------------

// Which message of which writer.
struct Tag {
  std::uint32_t writer = 0;
  std::uint32_t number = 0;
  auto operator<=>(const Tag&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Tag& tag);

inline constexpr std::size_t kTagBytes = sizeof(Tag);

// A tag, and bytes that follow from it up to `size` (kTagBytes at the least).
void fill(std::span<std::byte> message, Tag tag);
// The tag, if every byte is as `fill` wrote it.
std::optional<Tag> tag_of(std::span<const std::byte> message);
// A size for the tag's message, spread from kTagBytes up to `largest`.
std::size_t size_of(Tag tag, std::size_t largest);

// Reserves, fills, commits.
Status put(Writer& writer, Tag tag, std::size_t size = kTagBytes);
// The same; throws if it is not accepted.
void must_put(Writer& writer, Tag tag, std::size_t size = kTagBytes);
// Messages 0 .. count-1 of one writer, of all sizes up to `largest`. Throws if one is not accepted.
void put_all(Writer& writer, std::uint32_t id, std::uint32_t count, std::size_t largest);

// --- Reading -------------------------------------------------------------------------------------------------------

// What is there now, as text; at most `limit` messages, then the loop breaks off.
std::vector<std::string> texts(Reader& reader, std::size_t limit = ~std::size_t{0});

// What a reader got, checked byte by byte on the way.
class Log {
 public:
  // What is there now (`limit`: then the loop breaks off). Returns how many messages that was.
  std::size_t read(Reader& reader, std::size_t limit = ~std::size_t{0});
  // Reads on until there are `count` messages in all; false if they do not come within the tests' patience.
  bool read_until(Reader& reader, std::size_t count);

  const std::vector<Tag>& tags() const noexcept { return tags_; }
  std::size_t size() const noexcept { return tags_.size(); }
  std::size_t torn() const noexcept { return torn_; }
  // Each writer's numbers, in the order in which they came.
  std::map<std::uint32_t, std::vector<std::uint32_t>> by_writer() const;
  // Whether each writer's numbers only rise.
  bool in_order() const;
  // Whether each of the writers' messages 0 .. count-1 came once, and each writer's in order; and none was torn.
  bool is_complete(std::uint32_t writers, std::uint32_t count) const;

 private:
  std::vector<Tag> tags_;
  std::size_t torn_ = 0;
};

// The ledger of the participant in that slot.
Ledger ledger_of(const Segment& segment, std::uint32_t slot);

// --- Memory --------------------------------------------------------------------------------------------------------

// Memory of this process for one segment, aligned as segments need it.
class HeapMemory {
 public:
  explicit HeapMemory(std::size_t bytes);
  explicit HeapMemory(const SegmentOptions& options) : HeapMemory(Segment::bytes_needed(options)) {}
  HeapMemory(const HeapMemory&) = delete;
  HeapMemory& operator=(const HeapMemory&) = delete;
  ~HeapMemory();

  std::span<std::byte> bytes() const noexcept { return bytes_; }
  operator Memory() const noexcept { return {.bytes = bytes_}; }

 private:
  std::span<std::byte> bytes_;
};

// A file without a name, mapped; children made by fork share it.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes);  // a memfd
  SharedMemory(std::size_t bytes, int descriptor);
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  int descriptor() const noexcept { return descriptor_; }
  std::span<std::byte> bytes() const noexcept { return bytes_; }
  operator Memory() const noexcept { return {.bytes = bytes_, .descriptor = descriptor_}; }
  // In a child made by fork: the same memory once more, since the inherited mapping has been replaced. Never unmapped.
  Memory map_again() const;
  template <typename T>
  T& as() const noexcept {
    return *reinterpret_cast<T*>(bytes_.data());
  }

 private:
  int descriptor_;
  std::span<std::byte> bytes_;
};

// --- Chance --------------------------------------------------------------------------------------------------------

// The same numbers at every run, unless SAPBUF_TEST_SEED says otherwise. Tests print it with what they find.
std::uint64_t base_seed();

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t word() { return engine_(); }
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

// Where this process is slow (under a sanitizer), tests that repeat things repeat them less often.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSlow = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr bool kSlow = true;
#else
inline constexpr bool kSlow = false;
#endif
#else
inline constexpr bool kSlow = false;
#endif

}  // namespace sapbuf::test
