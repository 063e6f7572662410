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

SharedBoard::SharedBoard() {
  void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  // All of a board's words mean "nothing yet" when they are zero, as new memory is.
  board_ = static_cast<Board*>(memory);
}

SharedBoard::~SharedBoard() { ::munmap(board_, sizeof(Board)); }

}  // namespace sapbuf::soak
