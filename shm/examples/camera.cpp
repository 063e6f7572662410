// A camera sends frames of 6 MB by reference: only the message, of some bytes, goes through the stream; the frame stays where the
// camera wrote it. One of three readers is slow, and one is killed with frames in its hands. No frame is lost by either.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <thread>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kFrameBytes = 6'000'000;
constexpr std::uint32_t kFrames = 40;
constexpr std::uint32_t kLast = 1;  // the type of the message that ends the stream

struct Meta {
  std::uint32_t number;
};

enum class Kind { quick, slow, killed };

bool is_frame(std::span<const std::byte> bytes, std::uint32_t number) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [&](std::byte byte) { return byte == static_cast<std::byte>(number); });
}

// Returns how many frames it saw, all in order and whole.
std::uint32_t watch(const std::string& name, Kind kind, int ready) {
  const sapbuf::Segment segment = sapbuf::Segment::open(name);
  sapbuf::Reader reader{segment, {.name = "viewer"}};
  sapbuf::PoolUser mine{sapbuf::Pool::open(segment, "frames"), {.name = "viewer"}};
  if (::write(ready, "", 1) != 1) return 0;
  std::uint32_t seen = 0;
  std::vector<sapbuf::Buffer> kept;  // for a while longer than their messages
  while (reader.wait_for(10s)) {
    for (const sapbuf::Frame& message : reader.pin()) {
      if (message.type() == kLast) return seen;
      Meta meta;
      std::memcpy(&meta, message.bytes().data(), sizeof meta);
      for (const sapbuf::BufferReference& reference : message.attachments()) {
        sapbuf::Buffer frame = mine.adopt(reference);
        if (!frame || meta.number != seen || !is_frame(frame.bytes(), meta.number)) return 0;
        ++seen;
        kept.push_back(std::move(frame));
      }
      if (kind == Kind::slow) std::this_thread::sleep_for(5ms);
      if (kind == Kind::killed && seen == 10) ::raise(SIGKILL);
      if (kept.size() > 3) kept.erase(kept.begin());
    }
  }
  return 0;
}

bool film(const sapbuf::Segment& segment, const sapbuf::Pool& frames) {
  sapbuf::Writer writer{segment, {.name = "camera"}};
  sapbuf::PoolUser mine{frames, {.name = "camera"}};
  for (std::uint32_t number = 0; number < kFrames; ++number) {
    sapbuf::Buffer frame = mine.acquire_for(10s);  // waits for the slow one, if it comes to that
    if (!frame) return std::cerr << "no frame: " << to_string(frame.status()) << '\n', false;
    std::memset(frame.bytes().data(), static_cast<int>(number), frame.bytes().size());
    auto message = writer.reserve(sizeof(Meta));
    if (!message) return false;
    const Meta meta{number};
    std::memcpy(message.bytes().data(), &meta, sizeof meta);
    if (message.attach(std::move(frame)) != sapbuf::Status::ok) return false;
    message.commit();
  }
  return writer.write("", kLast) == sapbuf::Status::ok;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "camera";
  const sapbuf::Segment segment = sapbuf::Segment::create(name, {.slabs = 4, .slab_bytes = 65536});
  const sapbuf::Pool frames = sapbuf::Pool::create(segment, "frames", {.buffer_bytes = kFrameBytes, .count = 6});

  int ready[2];
  if (::pipe(ready) != 0) return 1;
  std::vector<pid_t> viewers;
  for (const Kind kind : {Kind::quick, Kind::slow, Kind::killed}) {
    const pid_t viewer = ::fork();
    if (viewer == 0) ::_exit(watch(name, kind, ready[1]) == kFrames ? 0 : 1);
    viewers.push_back(viewer);
    char byte;
    if (::read(ready[0], &byte, 1) != 1) return 1;
  }
  const bool filmed = film(segment, frames);

  int whole = 0;
  for (const pid_t viewer : viewers) {
    int status = 0;
    ::waitpid(viewer, &status, 0);
    whole += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
  }
  sapbuf::recover(segment);
  std::cout << whole << " viewers of 3 saw all " << kFrames << " frames of " << kFrameBytes << " bytes\n";

  // What the dead one had, and what was in flight, is there again.
  std::vector<sapbuf::Buffer> all;
  sapbuf::PoolUser mine{frames};
  while (sapbuf::Buffer buffer = mine.acquire()) all.push_back(std::move(buffer));
  std::cout << all.size() << " of " << frames.count() << " buffers are free\n";
  const bool is_whole = filmed && whole == 2 && all.size() == frames.count();
  all.clear();
  mine.close();
  sapbuf::Segment::remove(name);
  return is_whole ? 0 : 1;
}
