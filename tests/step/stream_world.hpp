// What surrounds a victim: a small stream, somebody who reads all of it, a writer that idles, and perhaps a bystander:
// a live participant that was stopped (SIGSTOP) at a named point before the victim begins, and goes on after its death.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "support/script.hpp"

namespace sapbuf::test {

inline constexpr std::uint32_t kVictimId = 1;
inline constexpr std::uint32_t kPeerId = 2;
inline constexpr std::uint32_t kSecondId = 3;
inline constexpr std::uint32_t kThirdId = 4;
inline constexpr std::uint32_t kBystanderId = 5;
inline constexpr std::uint32_t kFreshId = 7;
inline constexpr std::uint32_t kWoundedId = 9;  // and 10, of a second one
inline constexpr std::uint32_t kBystanderMessages = 30;

struct StreamWorld;

// The next durable reader of the victim's name, and what it got.
struct DurableSuccessor {
  // What is there now. Nothing, as long as somebody who is stopped holds the lock, or its forerunner is not settled.
  void read(const Segment& segment);

  std::optional<Reader> reader;
  Log log{scripted_size};
};

struct StreamStopPoint {
  std::string_view name;
  bool holds_lock = false;  // the maintenance lock: until it goes on, nobody can flip or recover
  bool writes = true;       // it is a writer, and writes its messages to the end when it goes on
  // In the bystander, which stops itself on the way.
  std::function<void(const std::string& segment_name)> live;
  std::function<void(StreamWorld&)> before = [](StreamWorld&) {};
};
std::span<const StreamStopPoint> stream_stop_points();

struct StreamWorld {
  StreamWorld(Order order, OnFull on_full);

  // A peer writes `count` messages; the audience reads them, unless it is told to lag behind.
  void write(std::uint32_t count, bool audience_reads = true);
  // The peer writes small messages, and the audience reads them all, until the stream stands in `generation` with at
  // least so many bytes claimed.
  void advance_to(std::uint64_t generation, std::uint64_t used_bytes);
  // A writer that dies at a kill point: work for somebody's recovery.
  void wound(KillPoint kill_point, unsigned nth);
  // A reader that dies with a range pinned.
  void wound_reader();
  // A durable reader, of the victim's name, has so many of the peer's messages, and leaves; or dies, amid its next range.
  void read_durably(std::uint32_t count);
  void wound_durable_reader(std::uint32_t count);
  // False if it came to its end without stopping: that point does not belong to this kind of stream.
  bool admit_bystander(const StreamStopPoint& point);

  // How long others may take to come to where they should.
  std::chrono::milliseconds patience() const;

  TestName name;
  Segment segment;
  std::unique_ptr<Audience> audience;
  std::unique_ptr<Writer> peer;  // stays attached, idle, with an extent open if it wrote
  std::uint32_t peer_number = 0;
  std::uint32_t wounded = 0;
  // Of the peer's messages, that durable readers of the victim's name had before the victim begins. Nothing: none comes.
  std::optional<std::uint32_t> read_durably_before;
  bool knows_durable_reader = false;  // its name is in the stream before the victim begins
  DurableSuccessor successor;
  const StreamStopPoint* stopped_at = nullptr;
  std::unique_ptr<Child> bystander;
};

}  // namespace sapbuf::test
