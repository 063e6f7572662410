#include "support/memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <stdexcept>

#include <sapbuf/layout/word.hpp>

namespace sapbuf::test {

HeapMemory::HeapMemory(std::size_t bytes)
    : bytes_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{layout::kLineBytes})), bytes) {
  std::memset(bytes_.data(), 0xa5, bytes);  // whatever was there must not matter
}
HeapMemory::~HeapMemory() { ::operator delete (bytes_.data(), std::align_val_t{layout::kLineBytes}); }

SharedMemory::SharedMemory(std::size_t bytes) : SharedMemory(bytes, ::memfd_create("sapbuf-test", MFD_CLOEXEC)) {}

SharedMemory::SharedMemory(std::size_t bytes, int descriptor) : descriptor_(descriptor) {
  if (descriptor < 0 || ::ftruncate(descriptor, static_cast<off_t>(bytes)) != 0) {
    throw std::runtime_error("no file for shared memory");
  }
  void* const address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) throw std::runtime_error("mmap failed");
  bytes_ = {static_cast<std::byte*>(address), bytes};
}

Memory SharedMemory::map_again() const {
  void* const address = ::mmap(nullptr, bytes_.size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED) throw std::runtime_error("mmap failed");
  return {.bytes = {static_cast<std::byte*>(address), bytes_.size()}, .descriptor = descriptor_};
}

SharedMemory::~SharedMemory() {
  ::munmap(bytes_.data(), bytes_.size());
  ::close(descriptor_);
}

}  // namespace sapbuf::test
