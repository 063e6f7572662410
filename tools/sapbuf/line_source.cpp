#include "sapbuf/line_source.hpp"

#include "common/stop.hpp"
#include "sapbuf/input_read.hpp"

namespace sapbuf::tools {

namespace {
constexpr std::size_t kFirstBytes = std::size_t{256} << 10;
}

LineSource::LineSource(std::size_t longest, char delimiter)
    : buffer_(kFirstBytes), longest_(longest), delimiter_(delimiter) {}

void LineSource::open(int fd) noexcept {
  fd_ = fd;
  begin_ = scanned_ = filled_ = 0;
  skipping_ = at_end_ = false;
}

LineSource::Next LineSource::next_slow(std::string_view& line) {
  while (true) {
    scanned_ = filled_;
    if (at_end_) return last(line);
    if (stop_requested()) return Next::stopped;
    make_room();
    const InputRead read = read_input(fd_, buffer_.data() + filled_, buffer_.size() - filled_);
    if (read.outcome == InputRead::Outcome::failed) return Next::failed;
    at_end_ = read.outcome == InputRead::Outcome::end;
    filled_ += read.bytes;
    if (std::memchr(buffer_.data() + scanned_, delimiter_, filled_ - scanned_) != nullptr) return next(line);
  }
}

LineSource::Next LineSource::last(std::string_view& line) noexcept {
  line = {buffer_.data() + begin_, filled_ - begin_};
  begin_ = scanned_ = filled_ = 0;
  if (skipping_) {
    skipping_ = false;
    return Next::too_long;
  }
  return line.empty() ? Next::end : Next::line;
}

// Behind `filled_`, for the line that begins at `begin_`. A line that is too long anyway is not kept: memory stays
// bounded whatever comes in.
void LineSource::make_room() {
  if (filled_ - begin_ > longest_) skipping_ = true;
  if (skipping_) begin_ = filled_;
  if (begin_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, filled_ - begin_);
    filled_ -= begin_;
    begin_ = 0;
    scanned_ = filled_;
  }
  if (filled_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
}

}  // namespace sapbuf::tools
