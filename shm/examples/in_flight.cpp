// A camera is killed with buffers in its hands and in messages: what it sent can be read whole, and all buffers come back.
//   in_flight SEGMENT send      says what it did, and waits to be killed
//   in_flight SEGMENT receive   reads what was sent, and takes every buffer that there is
// The segment has a pool `frames`. scripts/demo.sh runs both.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <string_view>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSent = 5;

sapbuf::Buffer fill(sapbuf::PoolUser& mine, std::uint32_t number) {
  sapbuf::Buffer frame = mine.acquire();
  if (!frame) throw std::runtime_error("no buffer: " + std::string(to_string(frame.status())));
  std::memset(frame.bytes().data(), static_cast<int>(number), frame.bytes().size());
  return frame;
}

void attach(sapbuf::Reservation& message, sapbuf::Buffer frame) {
  if (message.attach(std::move(frame)) != sapbuf::Status::ok) throw std::runtime_error("it was not attached");
}

[[noreturn]] void send(const sapbuf::Segment& segment) {
  sapbuf::Writer writer{segment, {.name = "camera"}};
  sapbuf::PoolUser mine{sapbuf::Pool::open(segment, "frames"), {.name = "camera"}};
  for (std::uint32_t number = 1; number <= kSent; ++number) {
    auto message = writer.reserve(sizeof number);
    if (!message) throw std::runtime_error("no room: " + std::string(to_string(message.status())));
    std::memcpy(message.bytes().data(), &number, sizeof number);
    attach(message, fill(mine, number));
    message.commit();
  }
  auto half_written = writer.reserve(sizeof kSent);
  attach(half_written, fill(mine, kSent + 1));
  attach(half_written, fill(mine, kSent + 2));
  std::vector<sapbuf::Buffer> held;
  for (std::uint32_t number = 0; number < 5; ++number) held.push_back(fill(mine, number));
  held[0].share();
  held[1].share();
  std::cout << "has 3 buffers for itself, and 2 shared; 5 go with messages, and 2 with one that is not committed"
            << std::endl;
  for (;;) ::pause();
}

bool is_frame(const sapbuf::Buffer& frame, std::uint32_t number) {
  return frame && std::ranges::all_of(frame.bytes(), [&](std::byte byte) { return byte == std::byte(number); });
}

// How many messages came in order, each with its frame.
std::uint32_t count_whole(const sapbuf::Segment& segment, sapbuf::PoolUser& mine) {
  sapbuf::Reader reader{segment, {.name = "viewer", .from = sapbuf::From::oldest}};
  std::uint32_t whole = 0;
  while (whole < kSent && reader.wait_for(10s)) {
    for (const sapbuf::Frame& message : reader.pin()) {
      std::uint32_t number = 0;
      std::memcpy(&number, message.bytes().data(), sizeof number);
      for (const sapbuf::BufferReference& reference : message.attachments()) {
        if (number == whole + 1 && is_frame(mine.adopt(reference), number)) ++whole;
      }
    }
  }
  return whole;
}

// Waits for each: what messages keep is let go when somebody needs it.
std::uint64_t count_acquired(sapbuf::PoolUser& mine, std::uint64_t count) {
  std::vector<sapbuf::Buffer> all;
  while (all.size() < count) {
    all.push_back(mine.acquire_for(10s));
    if (!all.back()) return all.size() - 1;
  }
  return all.size();
}

bool receive(const sapbuf::Segment& segment) {
  const sapbuf::Pool frames = sapbuf::Pool::open(segment, "frames");
  sapbuf::PoolUser mine{frames, {.name = "viewer"}};
  const std::uint32_t whole = count_whole(segment, mine);
  std::cout << "read " << whole << " of " << kSent << " messages with their frames\n";
  const std::uint64_t acquired = count_acquired(mine, frames.count());
  std::cout << "has acquired " << acquired << " of " << frames.count() << " buffers" << std::endl;
  return whole == kSent && acquired == frames.count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "in_flight SEGMENT send|receive\n", 2;
  try {
    const sapbuf::Segment segment = sapbuf::Segment::open(argv[1]);
    if (std::string_view{argv[2]} == "send") send(segment);
    return receive(segment) ? 0 : 1;
  } catch (const std::exception& error) {
    return std::cerr << error.what() << '\n', 1;
  }
}
