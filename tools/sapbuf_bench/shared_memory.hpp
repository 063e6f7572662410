// Memory that the parent makes and all processes of a run inherit: what the peers live in that have no names of their
// own.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <stdexcept>
#include <utility>

namespace sapbuf::bench {

enum class Pages {
  ready,     // all of them are there
  untouched  // there when they are touched: for addresses that nobody goes to
};

class SharedMemory {
 public:
  SharedMemory() = default;
  explicit SharedMemory(std::size_t bytes, Pages pages = Pages::ready) : bytes_(bytes) {
    const int how = pages == Pages::ready ? MAP_POPULATE : MAP_NORESERVE;
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | how, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no shared memory for the bench");
    memory_ = static_cast<std::byte*>(memory);
  }
  SharedMemory(SharedMemory&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SharedMemory() {
    if (memory_ != nullptr) ::munmap(memory_, bytes_);
  }

  std::byte* get() const noexcept { return memory_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace sapbuf::bench
