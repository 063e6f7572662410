// sapbuf's map as a peer of others: see map_peers.hpp.
#include <unistd.h>

#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "map_peers.hpp"

namespace sapbuf::bench {
namespace {

class MapPlace {
 public:
  explicit MapPlace(const MapShape& shape)
      : name_("bench.map-" + std::to_string(++made) + "." + std::to_string(::getpid())), shape_(shape) {
    Segment::remove(name_);
    const Segment segment = Segment::create(name_, {.participants = 32, .main_stream = false});
    const Map map = Map::create(segment, kMap, {.keys = shape.keys, .value_bytes = shape.value_bytes, .key_bytes = 8});
    MapWriter writer{map};
    const std::vector<std::byte> value(shape.value_bytes);
    for (std::uint64_t key = 0; key < shape.keys; ++key) {
      if (writer.put(key, value) != Status::ok) throw std::runtime_error("sapbuf map: not put");
    }
  }
  MapPlace(const MapPlace&) = delete;
  MapPlace& operator=(const MapPlace&) = delete;
  ~MapPlace() {
    try {
      Segment::remove(name_);
    } catch (const Error&) {
      // It was ours; if it cannot be removed, 'sapbuf ls' shows it.
    }
  }
  Map open() const { return Map::open(Segment::open(name_), kMap); }
  const MapShape& shape() const noexcept { return shape_; }

 private:
  static constexpr const char* kMap = "values";
  static inline unsigned made = 0;  // in this process
  const std::string name_;
  const MapShape shape_;
};

class Reading final : public MapReading {
 public:
  explicit Reading(const MapPlace& place, bool looked_up_once) : reader_(place.open()), shape_(place.shape()) {
    if (!looked_up_once) return;
    for (std::uint64_t key = 0; key < shape_.keys; ++key) entries_.push_back(reader_.entry(key));
  }
  std::uint64_t read(std::uint64_t first, std::uint64_t times) override {
    std::uint64_t sum = 0;
    KeyOrder keys{shape_, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      const std::uint64_t key = keys.next();
      const MapValue value = entries_.empty() ? reader_.read(key) : entries_[key].read();
      if (!value) throw std::runtime_error("sapbuf map: not read");
      sum += sum_of(value.bytes().data(), value.bytes().size());
    }
    return sum;
  }

 private:
  const MapReader reader_;
  const MapShape shape_;
  std::vector<MapEntry> entries_;
};

class Writing final : public MapWriting {
 public:
  explicit Writing(const MapPlace& place) : writer_(place.open()), shape_(place.shape()) {}
  void write(std::uint64_t first, std::uint64_t times) override {
    KeyOrder keys{shape_, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      MapDraft draft = writer_.prepare(keys.next(), shape_.value_bytes);
      if (!draft) throw std::runtime_error("sapbuf map: not prepared");
      fill(draft.bytes().data(), shape_.value_bytes, i);
      if (draft.flip() != Status::ok) throw std::runtime_error("sapbuf map: not flipped");
    }
  }

 private:
  MapWriter writer_;
  const MapShape shape_;
};

MapPeer peer(const MapShape& shape, std::string name, bool looked_up_once) {
  const auto place = std::make_shared<const MapPlace>(shape);
  return {std::move(name), [=] { return std::make_unique<Reading>(*place, looked_up_once); },
          [=] { return std::make_unique<Writing>(*place); }};
}

}  // namespace

MapPeer map_peer_sapbuf(const MapShape& shape) { return peer(shape, "sapbuf map", true); }
MapPeer map_peer_sapbuf_by_key(const MapShape& shape) { return peer(shape, "sapbuf map, by key", false); }

}  // namespace sapbuf::bench
