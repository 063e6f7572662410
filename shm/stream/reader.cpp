// The reader's calls.
#include <sapbuf/reader.hpp>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "stream/reader_look.hpp"
#include "stream/reader_newest.hpp"
#include "stream/reader_state.hpp"
#include "stream/reader_wait.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {

Reader::Reader(const Segment& segment, const ReaderOptions& options) : Reader(Stream::open(segment), options) {}

Reader::Reader(const Stream& stream, const ReaderOptions& options) : state_(nullptr) {
  const platform::Uncancellable to_its_end;
  const auto attach = [&] { return std::make_unique<detail::ReaderState>(stream.core(), options); };
  state_ = stream.core()->segment().unless_truncated(attach).release();
}

Reader::Reader(Reader&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}

Reader& Reader::operator=(Reader&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::exchange(other.state_, nullptr);
  }
  return *this;
}

Reader::~Reader() { close(); }

void Reader::close() noexcept { detail::close_reader(std::exchange(state_, nullptr)); }

void Reader::abandon() noexcept {
  if (state_ != nullptr) state_->walk.abandon();
  close();
}

namespace {

[[noreturn, gnu::cold, gnu::noinline]] void throw_not_ready(const detail::ReaderState* state) {
  if (state == nullptr) throw Error(Errc::invalid_argument, "this reader was closed or moved from");
  state->attachment.check_usable();
  throw Error(Errc::busy, "the reader's last range is still alive: let it go first");
}

inline detail::ReaderState& ready(detail::ReaderState* state) {
  if (state == nullptr || state->walk.has_range() || !state->attachment.is_usable()) [[unlikely]]
    throw_not_ready(state);
  return *state;
}

}  // namespace

bool Reader::wait_for(std::chrono::nanoseconds timeout) {
  detail::ReaderState& reader = ready(state_);
  if (reader.pace.look(reader.walk.bytes(), [&] { return detail::look(reader); })) return true;
  if (timeout.count() > 0) {
    const std::uint64_t now = platform::monotonic_ns();
    const auto wanted = static_cast<std::uint64_t>(timeout.count());
    if (detail::wait(reader, wanted > ~now ? ~std::uint64_t{0} : now + wanted)) return true;
  }
  if (reader.event_fd != nullptr) [[unlikely]]
    detail::arm_event_fd(reader);
  return false;
}

detail::Stretch Reader::begin_walk() {
  detail::ReaderState& reader = ready(state_);
  if (!detail::pin_message(reader)) {
    if (reader.event_fd != nullptr) [[unlikely]]
      detail::arm_event_fd(reader);
    return {nullptr, nullptr};
  }
  reader.pins.keep_for_range();
  reader.attachment.core().beat(reader.attachment.index());
  return reader.walk.begin();
}

std::uint64_t Reader::skip_to_newest() { return detail::skip_to_newest(ready(state_)); }

int Reader::event_fd() { return detail::event_fd(ready(state_)); }

bool Reader::is_finished() {
  const platform::Uncancellable to_its_end;
  return detail::is_finished(ready(state_));
}

bool Reader::is_current() const noexcept { return state_ != nullptr && state_->attachment.core().is_current(); }

std::uint64_t Reader::delivered() const noexcept {
  return state_ == nullptr ? 0 : state_->attachment.slot().delivered.load(std::memory_order_relaxed);
}

std::uint64_t Reader::lost() const noexcept {
  return state_ == nullptr ? 0 : state_->attachment.slot().lost.load(std::memory_order_relaxed);
}

std::uint64_t Reader::skipped() const noexcept {
  return state_ == nullptr ? 0 : state_->attachment.slot().skipped.load(std::memory_order_relaxed);
}

std::optional<std::uint64_t> Reader::missed_before() const noexcept {
  return state_ == nullptr ? std::nullopt : state_->loss.missed_before();
}

bool Reader::missed_any() const noexcept { return state_ != nullptr && state_->loss.missed_any(); }

std::uint32_t Reader::slot() const noexcept {
  return state_ == nullptr ? ~std::uint32_t{0} : state_->attachment.index();
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
