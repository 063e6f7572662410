// What surrounds a reader or writer of a map: a neighbour that keeps a version of every key, and can write, and perhaps
// a bystander, which was stopped (SIGSTOP) at a named point, and goes on after the victim's death.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"
#include "support/memory.hpp"

namespace sapbuf::test {

// Which there are in the beginning, each with value 1, but for the fresh one and the bystander's.
enum MapKeyNumber : std::uint32_t {
  kFlippedKey,
  kUpdatedKey,
  kErasedKey,
  kFirstOfPair,  // these two are only flipped together
  kSecondOfPair,
  kFreshKey,
  kBystandersKey,
  kMapKeys,
};
std::string_view name_of(MapKeyNumber key);

// What stands in values: a number, all over.
inline constexpr std::uint64_t kFirstValue = 1;
std::vector<std::byte> map_value(std::uint64_t number);
// 0: torn.
std::uint64_t number_in(std::span<const std::byte> value);

// What an actor did, in memory that outlives it: each number is stored right before or right after the call that it
// speaks of.
struct MapNotes {
  struct OfKey {
    std::atomic<std::uint64_t> begun{0};  // what the key is to have; 0: nothing
    std::atomic<std::uint64_t> ended{0};  // what it has got
  };
  OfKey keys[kMapKeys];
  std::atomic<std::uint64_t> updates_begun{0}, updates_ended{0};  // of kUpdatedKey, each by one
  std::atomic<std::uint64_t> erased_begun{0}, erased_ended{0};    // of kErasedKey
  std::atomic<bool> fresh_with_pair{false};                       // kFreshKey is inserted together with the pair
};
class SharedMapNotes {
 public:
  MapNotes& operator*() const noexcept { return memory_.as<MapNotes>(); }

 private:
  SharedMemory memory_{sizeof(MapNotes)};
};

struct MapSetting {
  std::uint64_t keys = 8;
  std::uint64_t max_keys = 8;
  std::uint64_t values = 24;  // buffers for them
};

// A reader and a writer of one process.
struct MapHands {
  MapHands(const std::string& segment, std::string_view name, std::chrono::milliseconds timeout);

  Segment segment;
  Map map;
  MapReader reader;
  MapWriter writer;
  std::vector<MapEntry> entries;  // of all keys
  std::vector<MapValue> kept;
};

struct MapStopPoint {
  std::string_view name;
  KillPoint kill_point;
};
std::span<const MapStopPoint> map_stop_points();

class MapWorld {
 public:
  explicit MapWorld(const MapSetting& setting);

  // The neighbour lets go of what it keeps, and flips a key until all buffers are values, or old versions that nobody
  // keeps.
  void leave_old_versions();
  // Somebody who does everything, with keys of nobody's, and dies, or stops, when it comes to a point. False: it came
  // to its end.
  bool wound(KillPoint kill_point, unsigned nth = 1);
  bool admit_bystander(KillPoint kill_point);

  TestName name;
  Segment segment;
  Pool pool;  // of the values; it does not grow
  Map map;
  std::unique_ptr<MapHands> neighbour;
  std::unique_ptr<Child> bystander;
};

}  // namespace sapbuf::test
