#include "soak/board.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace sapbuf::soak {

void Pace::note(Gap gap) noexcept {
  const std::uint32_t count = count_.load(std::memory_order_relaxed);
  if (count < kGaps) {
    gap_[count] = gap;
    count_.store(count + 1, std::memory_order_release);
    return;
  }
  const auto shorter = [](const Gap& a, const Gap& b) { return a.length() < b.length(); };
  Gap& shortest = *std::min_element(gap_.begin(), gap_.end(), shorter);
  if (shorter(shortest, gap)) shortest = gap;
}

void Diary::complain(std::string_view text) noexcept {
  if (troubled.load(std::memory_order_relaxed)) return;
  const std::size_t length = std::min(text.size(), trouble.size() - 1);
  std::copy_n(text.data(), length, trouble.data());
  trouble[length] = '\0';
  troubled.store(true, std::memory_order_release);
}

void* map_shared(std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return memory;
}

void unmap_shared(void* memory, std::size_t bytes) noexcept { ::munmap(memory, bytes); }

}  // namespace sapbuf::soak
