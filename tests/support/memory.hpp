// Memory to make segments in.
#pragma once

#include <cstddef>
#include <span>

#include <sapbuf/segment.hpp>

namespace sapbuf::test {

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

struct HeldMemory {
  HeapMemory memory;
};

// A segment in memory of this process, `memory`.
class HeapSegment : public HeldMemory, public Segment {
 public:
  explicit HeapSegment(const SegmentOptions& options = {})
      : HeldMemory{HeapMemory{options}}, Segment(Segment::create_in(memory, options)) {}
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

}  // namespace sapbuf::test
