// Boost's ways to share buffers among processes: a lock-free stack of indices, and a managed segment.
#include <boost/lockfree/stack.hpp>

#include "allocators.hpp"
#include "managed_memory.hpp"

namespace sapbuf::bench {
namespace {

constexpr const char* kStack = "boost::lockfree::stack";
constexpr const char* kManaged = "Boost managed_shared_memory";

// Free buffers by their index; what a stack of fixed size counts in 16 bits.
class Stack {
 public:
  static constexpr std::uint16_t kNone = 0xffff;

  explicit Stack(std::size_t bytes) : bytes_(bytes), buffers_(buffers_of(bytes) * bytes, Pages::untouched) {
    for (std::size_t i = 0; i < buffers_of(bytes); ++i) free_->push(static_cast<std::uint16_t>(i));
  }
  std::uint16_t acquire() const noexcept {
    std::uint16_t index = kNone;
    free_->pop(index);
    return index;
  }
  std::byte* at(std::uint16_t held) const noexcept { return held == kNone ? nullptr : buffers_.get() + held * bytes_; }
  void release(std::uint16_t held) const noexcept { free_->push(held); }

 private:
  using Free = boost::lockfree::stack<std::uint16_t, boost::lockfree::capacity<1024>>;

  const std::size_t bytes_;
  const SharedMemory buffers_;
  const SharedMemory memory_{sizeof(Free)};
  Free* const free_ = new (memory_.get()) Free;
};

class Managed {
 public:
  explicit Managed(std::size_t bytes) : bytes_(bytes), memory_(buffers_of(bytes), bytes) {}
  std::byte* acquire() noexcept { return acquire(bytes_); }
  std::byte* acquire(std::size_t bytes) noexcept {
    return static_cast<std::byte*>(memory_.segment().allocate(bytes, std::nothrow));
  }
  static std::byte* at(std::byte* held) noexcept { return held; }
  void release(std::byte* held) noexcept { memory_.segment().deallocate(held); }

 private:
  const std::size_t bytes_;
  ManagedMemory memory_;
};

}  // namespace

Calls calls_of_boost(Pattern pattern, std::size_t bytes) {
  return {call_of<Stack>(kStack, pattern, bytes), call_of<Managed>(kManaged, pattern, bytes)};
}

Calls mixed_calls_of_boost() {
  return {{kManaged, [](benchmark::State& state) {
             Managed allocator{kLargestMixed};
             replace_mixed(state, allocator);
           }}};
}

std::vector<Loop> loops_of_boost(std::size_t bytes) {
  return {loop_of<Stack>(kStack, bytes), loop_of<Managed>(kManaged, bytes)};
}

}  // namespace sapbuf::bench
