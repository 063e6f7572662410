// Cuts what a descriptor delivers into messages that say their length and type beforehand (length_prefix.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sapbuf/length_prefix.hpp"

namespace sapbuf::tools {

class PrefixedSource {
 public:
  enum class Next {
    message,    // `payload` is valid until the next call
    too_large,  // one of more than `largest` bytes is left out
    end,        // also within a message that is left out
    cut_off,    // the input ends within a message
    stopped,    // a signal asked to stop
    failed,     // errno says why
  };

  explicit PrefixedSource(std::size_t largest);

  // Goes on with another descriptor; what the last one left is forgotten. The descriptor stays the caller's.
  void open(int fd) noexcept;

  Next next(std::string_view& payload, std::uint16_t& type);

 private:
  Next need(std::size_t bytes);
  Next leave_out();
  void make_room(std::size_t bytes);
  std::size_t at_hand() const noexcept { return filled_ - begin_; }

  std::vector<char> buffer_;
  std::size_t largest_;
  int fd_ = -1;
  std::size_t begin_ = 0;  // of the next prefix
  std::size_t filled_ = 0;
  std::size_t left_out_ = 0;  // bytes of a message that is too large, which are still to come
};

}  // namespace sapbuf::tools
