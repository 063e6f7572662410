#include "soak/trial_kit.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>
#include <stdexcept>

#include "soak/message.hpp"
#include "support/invariants.hpp"

namespace sapbuf::soak {
namespace {

using namespace std::chrono_literals;

const Messages& messages() {
  static const Messages all{0, kTrialMessageBytes};
  return all;
}

}  // namespace

bool write_numbered(Writer& writer, std::uint16_t who, std::uint64_t number) {
  Reservation slot = writer.reserve(kTrialMessageBytes, who);
  if (!slot) return false;
  messages().fill(slot.bytes(), who, number);
  slot.commit();
  return true;
}

void Listener::read_what_is_there() {
  while (reader_.wait_for(0ms)) {
    for (const Frame& frame : reader_.pin()) take(frame);
  }
}

std::uint64_t Listener::last_of(std::uint16_t who) const {
  const auto found = last_.find(who);
  return found == last_.end() ? 0 : found->second;
}

void Listener::take(const Frame& frame) {
  const std::uint16_t who = frame.type();
  if (frame.bytes().size() != kTrialMessageBytes || !messages().is_whole(frame.bytes(), who)) {
    throw std::runtime_error(fmt::format("a torn message of {}", who));
  }
  const std::uint64_t number = Messages::number_of(frame.bytes());
  if (number != last_[who] + 1) {
    throw std::runtime_error(fmt::format("message {} of {} follows on {}", number, who, last_[who]));
  }
  last_[who] = number;
  ++count_;
}

void settle(const Segment& segment) {
  wait_until("the dead to be settled", [&] { return !recover(segment).pending; });
  test::check_invariants(segment);
}

void await_good_end(Process& process, Listener* listener) {
  std::optional<int> status;
  wait_until("a process to end", [&] {
    if (listener != nullptr) listener->read_what_is_there();
    status = process.reap();
    return status.has_value();
  });
  if (*status != 0) throw std::runtime_error(fmt::format("a process ended with status {}", *status));
}

void conclude(const Segment& segment, Listener& listener) {
  settle(segment);
  listener.read_what_is_there();
  const std::uint64_t committed = inspect(segment).departed.committed;
  if (listener.count() != committed) {
    throw std::runtime_error(fmt::format("{} messages were committed, {} arrived", committed, listener.count()));
  }
  constexpr std::uint16_t kLast = 60000;
  const SegmentOptions options = segment.options();
  Writer writer{segment, {.name = "last", .timeout = 0ms}};
  const std::uint64_t enough = 2 * options.slabs * options.slab_bytes / kTrialMessageBytes;
  for (std::uint64_t number = 1; number <= enough; ++number) {
    wait_until("room", [&] {
      if (write_numbered(writer, kLast, number)) return true;
      listener.read_what_is_there();
      return false;
    });
  }
  listener.read_what_is_there();
  if (listener.last_of(kLast) != enough) throw std::runtime_error("the stream does not go on");
  test::check_invariants(segment);
}

}  // namespace sapbuf::soak
