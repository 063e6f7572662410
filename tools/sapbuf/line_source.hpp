// Cuts what a descriptor delivers into lines of any length, or what ends with another character, without a copy or an allocation for each.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace sapbuf::tools {

class LineSource {
 public:
  enum class Next {
    line,      // `line` is set, without its delimiter; valid until the next call
    too_long,  // a line longer than `longest` was skipped
    end,       // everything was delivered; a last line counts with or without a delimiter
    stopped,   // a signal asked to stop
    failed,    // errno says why
  };

  explicit LineSource(std::size_t longest, char delimiter = '\n');

  // Goes on with another descriptor; what the last one left is forgotten. The descriptor stays the caller's.
  void open(int fd) noexcept;

  Next next(std::string_view& line) {
    const char* const from = buffer_.data() + scanned_;
    if (const void* found = std::memchr(from, delimiter_, filled_ - scanned_)) [[likely]] {
      const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
      line = {buffer_.data() + begin_, end - begin_};
      begin_ = scanned_ = end + 1;
      if (!skipping_) [[likely]] {
        return Next::line;
      }
      skipping_ = false;
      return Next::too_long;
    }
    return next_slow(line);
  }

 private:
  Next next_slow(std::string_view& line);
  Next last(std::string_view& line) noexcept;
  void make_room();

  std::vector<char> buffer_;
  std::size_t longest_;
  char delimiter_;
  int fd_ = -1;
  std::size_t begin_ = 0;    // of the line that is being looked for
  std::size_t scanned_ = 0;  // no delimiter between `begin_` and here
  std::size_t filled_ = 0;
  bool skipping_ = false;  // in the middle of a line that is too long
  bool at_end_ = false;
};

}  // namespace sapbuf::tools
