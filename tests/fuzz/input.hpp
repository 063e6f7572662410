// The fuzzer's bytes, read as numbers: from the front to the back, zeros behind the end.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace sapbuf::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept : rest_(data, size) {}

  bool empty() const noexcept { return rest_.empty(); }
  std::span<const std::uint8_t> rest() const noexcept { return rest_; }

  template <typename Number>
  Number take() noexcept {
    Number number = 0;
    const std::size_t bytes = std::min(sizeof number, rest_.size());
    if (bytes != 0) std::memcpy(&number, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
    return number;
  }
  std::uint8_t byte() noexcept { return take<std::uint8_t>(); }
  std::uint16_t half() noexcept { return take<std::uint16_t>(); }
  std::uint64_t word() noexcept { return take<std::uint64_t>(); }

 private:
  std::span<const std::uint8_t> rest_;
};

}  // namespace sapbuf::fuzz
