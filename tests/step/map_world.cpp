#include "step/map_world.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "step/bystander.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kValueBytes = 48;
constexpr std::string_view kMap = "config";
constexpr std::string_view kBystandersOther = "bystanders other";

constexpr std::array<std::string_view, kMapKeys> kNames{"flipped",        "updated", "erased",    "first of pair",
                                                        "second of pair", "fresh",   "bystanders"};

void must(Status status) {
  if (status != Status::ok) throw std::runtime_error("a map's neighbour: " + std::string(to_string(status)));
}

// Does everything that readers and writers do. Alone in a map, it comes to every stop point.
void live(const std::string& name) {
  MapHands hands{name, "bystander", kPatience};
  const std::vector<std::byte> value = map_value(kFirstValue);
  const std::string_view own = name_of(kBystandersKey);
  must(hands.writer.put(own, value));
  hands.kept.push_back(hands.reader.read(own));
  must(hands.writer.put(own, value));
  must(hands.writer.update(own, [](std::span<const std::byte> old, MapDraft& fresh) {
    std::memcpy(fresh.bytes().data(), old.data(), old.size());
  }));
  must(hands.writer.put(kBystandersOther, value));
  Transaction both{hands.writer};
  must(both.put(own, value));
  must(both.put(kBystandersOther, value));
  must(both.commit());
  hands.kept.clear();
  must(hands.writer.erase(kBystandersOther));
  must(hands.writer.erase(own));
  Transaction fresh{hands.writer};
  must(fresh.put(own, value));
  must(fresh.put(kBystandersOther, value));
  must(fresh.commit());
  must(hands.writer.erase(kBystandersOther));
  must(hands.writer.erase(own));
}

}  // namespace

std::string_view name_of(MapKeyNumber key) { return kNames.at(key); }

std::vector<std::byte> map_value(std::uint64_t number) {
  std::vector<std::byte> value(kValueBytes);
  for (std::size_t at = 0; at < kValueBytes; at += sizeof number) std::memcpy(&value[at], &number, sizeof number);
  return value;
}

std::uint64_t number_in(std::span<const std::byte> value) {
  std::uint64_t number = 0;
  if (value.size() != kValueBytes) return 0;
  std::memcpy(&number, value.data(), sizeof number);
  const std::vector<std::byte> whole = map_value(number);
  return std::memcmp(whole.data(), value.data(), kValueBytes) == 0 ? number : 0;
}

MapHands::MapHands(const std::string& of, std::string_view who, std::chrono::milliseconds timeout)
    : segment(Segment::open(of)),
      map(Map::open(segment, kMap)),
      reader(map, {.name = std::string(who)}),
      writer(map, {.name = std::string(who), .timeout = timeout}) {
  for (const std::string_view key : kNames) entries.push_back(reader.entry(key));
}

MapWorld::MapWorld(const MapSetting& setting)
    : segment(Segment::create(name, {.participants = 16, .main_stream = false})),
      pool(Pool::create(segment, "values",
                        {.buffer_bytes = kValueBytes + sizeof(layout::AboutValue), .count = setting.values})),
      map(Map::create(segment, kMap,
                      {.keys = setting.keys, .max_keys = setting.max_keys, .pool = "values", .key_bytes = 24})),
      neighbour(std::make_unique<MapHands>(name, "neighbour", kPatience)) {
  for (std::uint32_t key = kFlippedKey; key < kFreshKey; ++key) {
    must(neighbour->writer.put(kNames[key], map_value(kFirstValue)));
    neighbour->kept.push_back(neighbour->reader.read(kNames[key]));
  }
}

void MapWorld::leave_old_versions() {
  neighbour->kept.clear();
  for (std::uint64_t i = 0; i < pool.count(); ++i)
    must(neighbour->writer.put(kNames[kFlippedKey], map_value(kFirstValue)));
}

bool MapWorld::wound(KillPoint kill_point, unsigned nth) {
  return dies_at(kill_point, nth, [this] { live(name); });
}

bool MapWorld::admit_bystander(KillPoint kill_point) {
  bystander = stopped_at(kill_point, [this] { live(name); });
  return bystander != nullptr;
}

std::span<const MapStopPoint> map_stop_points() {
  static const std::vector<MapStopPoint> all = [] {
    std::vector<MapStopPoint> points;
    for (const KillPoint point :
         {KillPoint::map_seen,        KillPoint::map_guarded, KillPoint::map_announced,   KillPoint::map_claimed,
          KillPoint::map_handed_over, KillPoint::map_flipped, KillPoint::map_released,    KillPoint::map_used,
          KillPoint::map_keyed,       KillPoint::map_coming,  KillPoint::map_taking,      KillPoint::map_compared,
          KillPoint::map_alive,       KillPoint::map_indexed, KillPoint::map_counted,     KillPoint::map_committed,
          KillPoint::map_emptied,     KillPoint::map_gone,    KillPoint::map_entry_freed, KillPoint::map_unclaimed,
          KillPoint::map_changed}) {
      points.push_back({to_string(point), point});
    }
    return points;
  }();
  return all;
}

}  // namespace sapbuf::test
