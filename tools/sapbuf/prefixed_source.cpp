#include "sapbuf/prefixed_source.hpp"

#include <algorithm>
#include <cstring>

#include "common/stop.hpp"
#include "sapbuf/input_read.hpp"

namespace sapbuf::tools {

namespace {
constexpr std::size_t kFirstPrefixedBytes = std::size_t{256} << 10;
}

PrefixedSource::PrefixedSource(std::size_t largest) : buffer_(kFirstPrefixedBytes), largest_(largest) {}

void PrefixedSource::open(int fd) noexcept {
  fd_ = fd;
  begin_ = filled_ = left_out_ = 0;
}

PrefixedSource::Next PrefixedSource::next(std::string_view& payload, std::uint16_t& type) {
  if (const Next left_out = leave_out(); left_out != Next::message) return left_out;
  if (const Next found = need(kLengthPrefixBytes); found != Next::message) {
    return found == Next::end && at_hand() != 0 ? Next::cut_off : found;
  }
  const LengthPrefix prefix = LengthPrefix::from(buffer_.data() + begin_);
  if (prefix.size > largest_) {
    begin_ += kLengthPrefixBytes;
    left_out_ = prefix.size;
    return Next::too_large;
  }
  if (const Next found = need(kLengthPrefixBytes + prefix.size); found != Next::message) {
    return found == Next::end ? Next::cut_off : found;
  }
  payload = {buffer_.data() + begin_ + kLengthPrefixBytes, prefix.size};
  type = prefix.type;
  begin_ += kLengthPrefixBytes + prefix.size;
  return Next::message;
}

// The rest of a message that is too large goes by without being kept: memory stays bounded whatever comes in.
PrefixedSource::Next PrefixedSource::leave_out() {
  while (left_out_ != 0) {
    if (const Next found = need(1); found != Next::message) return found;
    const std::size_t passed = std::min(left_out_, at_hand());
    begin_ += passed;
    left_out_ -= passed;
  }
  return Next::message;
}

// Reads until so many bytes are at hand: `message`; or what came in between.
PrefixedSource::Next PrefixedSource::need(std::size_t bytes) {
  while (at_hand() < bytes) {
    if (stop_requested()) return Next::stopped;
    make_room(bytes);
    const InputRead read = read_input(fd_, buffer_.data() + filled_, buffer_.size() - filled_);
    if (read.outcome == InputRead::Outcome::end) return Next::end;
    if (read.outcome == InputRead::Outcome::failed) return Next::failed;
    filled_ += read.bytes;
  }
  return Next::message;
}

// Behind `filled_`. The buffer grows with what has come, not with what was announced.
void PrefixedSource::make_room(std::size_t bytes) {
  if (begin_ != 0 && begin_ + bytes > buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, at_hand());
    filled_ -= begin_;
    begin_ = 0;
  }
  if (filled_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
}

}  // namespace sapbuf::tools
