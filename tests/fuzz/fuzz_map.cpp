// Readers and writers of a map that live on while the words under them change: the input is a script of steps. Nobody may
// read what is no value of the pool. Where the input is peaceful, every step leaves the map as it must be, and each key has
// what it was given last.
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>

#include <sapbuf/inspect.hpp>

#include "fuzz/map_world.hpp"
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"
#include "map/map_core.hpp"
#include "support/map_invariants.hpp"
#include "support/pool_invariants.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHandles = 3;
constexpr std::size_t kMostKept = 40;     // more than one reader may keep
constexpr unsigned kMostHandlesMade = 6;  // attaching costs more than all other steps
constexpr unsigned kMostOpened = 2;
constexpr std::uint64_t kKeys = kFuzzedKeys + 2;  // more than there is room for

struct LiveWriter {
  explicit LiveWriter(const Map& map) : writer(map, {.timeout = 0ms}), transaction(writer) {}
  MapWriter writer;
  Transaction transaction;
  std::map<std::uint64_t, std::string> together;  // what the transaction has
  MapDraft draft;
};

struct LiveReader {
  explicit LiveReader(const Map& map) : reader(map) {}
  MapReader reader;
  std::optional<MapEntry> entry;
};

class Script {
 public:
  Script(FacilityWorld& world, const Segment& segment, Input& input)
      : world_(world),
        segment_(segment),
        map_(Map::open(segment, "config")),
        pool_(map_.core()->pool()),
        input_(input) {}

  void run() {
    take_steps(
        world_, input_, [&] { take_step(); }, [&] { look_at_words(); });
  }

 private:
  void look_at_words() const {
    std::string problem = test::broken_map_invariant(map_);
    if (problem.empty()) {
      const bool settled = find_dead(segment_).dead.empty();
      const auto motion = settled ? test::Motion::none : test::Motion::stopped;
      problem = test::broken_pool_invariant(Pool::open(segment_, pool_->record().name), motion);
    }
    if (!problem.empty()) throw std::logic_error(problem);
  }

  void take_step() {
    const std::uint8_t step = input_.byte();
    const std::size_t which = step >> 4 & 3;
    const bool high = (step & 0x80) != 0;
    switch (step & 15) {
      case 0:
        return world_.edit(input_);
      case 1:
        return world_.edit_on_the_way(input_);
      case 2:
        return make_writer(which);
      case 3:
        return make_reader(which);
      case 4:
        return put(which, high);
      case 5:
        return erase(which);
      case 6:
        return update(which);
      case 7:
        return prepare(which);
      case 8:
        return flip(which, high);
      case 9:
        return add(which);
      case 10:
        return commit(which);
      case 11:
        return read(which, high);
      case 12:
        return walk(which);
      case 13:
        return wait(which, high);
      case 14:
        return look(step >> 4);
      default:
        return high ? open_anew() : close(which, (step & 0x40) != 0);
    }
  }

  void make_writer(std::size_t which) {
    if (made_++ >= kMostHandlesMade) return;
    writers_[which % kHandles].reset();
    writers_[which % kHandles] = std::make_unique<LiveWriter>(map_);
  }
  void make_reader(std::size_t which) {
    if (made_++ >= kMostHandlesMade) return;
    readers_[which % kHandles].reset();
    readers_[which % kHandles] = std::make_unique<LiveReader>(map_);
  }
  LiveWriter* writer(std::size_t which) { return writers_[which % kHandles].get(); }
  LiveReader* reader(std::size_t which) { return readers_[which % kHandles].get(); }

  std::uint64_t any_key() { return input_.byte() % kKeys; }
  std::string any_value() {
    const std::size_t bytes = input_.byte() % (kFuzzedValueBytes + 2);
    return std::string(bytes, static_cast<char>('a' + input_.byte() % 26));
  }

  void put(std::size_t which, bool only_fresh) {
    const std::uint64_t key = any_key();
    const std::string value = any_value();
    LiveWriter* const live = writer(which);
    if (live == nullptr) return;
    const Status status = only_fresh ? live->writer.insert(key, value) : live->writer.put(key, value);
    if (status == Status::ok) values_[key] = value;
  }
  void erase(std::size_t which) {
    const std::uint64_t key = any_key();
    if (LiveWriter* const live = writer(which); live != nullptr && live->writer.erase(key) == Status::ok) {
      values_[key] = std::nullopt;
    }
  }
  void update(std::size_t which) {
    const std::uint64_t key = any_key();
    LiveWriter* const live = writer(which);
    if (live == nullptr) return;
    std::string value;
    const Status status = live->writer.update(key, [&](std::span<const std::byte> old, MapDraft& fresh) {
      check_is_value(old);
      if (!old.empty()) std::memcpy(fresh.bytes().data(), old.data(), std::min(old.size(), fresh.bytes().size()));
      std::reverse(fresh.bytes().begin(), fresh.bytes().end());
      value.assign(reinterpret_cast<const char*>(fresh.bytes().data()), fresh.bytes().size());
    });
    if (status == Status::ok) values_[key] = value;
  }
  void prepare(std::size_t which) {
    const std::uint64_t key = any_key();
    const std::size_t bytes = input_.byte() % (kFuzzedValueBytes + 2);
    LiveWriter* const live = writer(which);
    if (live == nullptr) return;
    drafted_[which % kHandles] = key;
    live->draft = live->writer.prepare(key, bytes);
    if (live->draft) std::memset(live->draft.bytes().data(), 'p', live->draft.bytes().size());
  }
  void flip(std::size_t which, bool if_version) {
    const std::uint64_t version = if_version ? input_.byte() : 0;
    LiveWriter* const live = writer(which);
    if (live == nullptr || !live->draft) return;
    const std::string value(live->draft.bytes().size(), 'p');
    const Status status = if_version ? live->draft.flip_if(version) : live->draft.flip();
    if (status == Status::ok) values_[drafted_[which % kHandles]] = value;
  }
  void add(std::size_t which) {
    const std::uint64_t key = any_key();
    const std::string value = any_value();
    LiveWriter* const live = writer(which);
    if (live != nullptr && live->transaction.put(key, value) == Status::ok) live->together[key] = value;
  }
  void commit(std::size_t which) {
    LiveWriter* const live = writer(which);
    if (live == nullptr || live->transaction.size() == 0 || live->transaction.commit() != Status::ok) return;
    for (auto& [key, value] : live->together) values_[key] = std::move(value);
    live->together.clear();
  }

  // All of it is read.
  void check_is_value(std::span<const std::byte> bytes) const {
    const auto at = static_cast<std::uint64_t>(bytes.data() - pool_->buffers_for_reading());
    const layout::PoolGeometry& geometry = pool_->geometry();
    const layout::ValuePlaces places = map_.core()->places_in(*pool_);
    if (at < places.value_at || (at - places.value_at) % geometry.stride_bytes != 0 ||
        !layout::has_room(places, at - places.value_at, bytes.size(), geometry.max_count * geometry.stride_bytes)) {
      throw std::logic_error("what somebody reads is no value of the pool");
    }
    for (const std::byte& byte : bytes) static_cast<void>(*const_cast<const volatile std::byte*>(&byte));
  }
  void check_is_the_last(std::uint64_t key, const MapValue& value) const {
    const auto known = values_.find(key);
    if (!world_.is_peaceful() || known == values_.end()) return;
    if (value.status() == Status::over_budget) return;
    const bool is_same = value ? known->second && value.text() == *known->second : !known->second;
    if (!is_same) throw std::logic_error("a key has not what it was given last");
  }

  void read(std::size_t which, bool keeps) {
    const std::uint64_t key = any_key();
    LiveReader* const live = reader(which);
    if (live == nullptr) return;
    if (!live->entry || keeps) live->entry.emplace(live->reader.entry(key));
    MapValue value = live->entry->read();
    if (value) check_is_value(value.bytes());
    std::uint64_t entrys_key = 0;
    std::memcpy(&entrys_key, live->entry->key().data(), sizeof entrys_key);
    check_is_the_last(entrys_key, value);
    if (keeps && value && kept_.size() < kMostKept) kept_.push_back(std::move(value));
  }
  void walk(std::size_t which) {
    LiveReader* const live = reader(which);
    if (live == nullptr) return;
    static_cast<void>(live->reader.for_each([&](std::string_view, MapValue& value) { check_is_value(value.bytes()); }));
    if (kept_.size() > 8) kept_.clear();
  }
  void wait(std::size_t which, bool for_entry) {
    LiveReader* const live = reader(which);
    if (live == nullptr) return;
    if (for_entry && live->entry) {
      static_cast<void>(live->entry->wait_changed(live->entry->read().version(), 0ms));
    } else {
      static_cast<void>(live->reader.wait_changed(live->reader.version(), 0ms));
    }
  }

  void look(unsigned how) {
    switch (how % 4) {
      case 0:
        return static_cast<void>(recover(segment_));
      case 1:
        return static_cast<void>(find_dead(segment_));
      case 2:
        dump(
            map_, [](const EntryRecord&) {}, kFuzzedValueBytes);
        return static_cast<void>(inspect(segment_));
      default:
        return static_cast<void>(layout_of(segment_));
    }
  }

  void close(std::size_t which, bool of_writer) {
    if (of_writer) {
      writers_[which % kHandles].reset();
    } else {
      readers_[which % kHandles].reset();
    }
  }

  void open_anew() {
    if (opened_++ >= kMostOpened) return;
    const Segment segment = Segment::open_in(world_.memory());
    tolerate([&] { static_cast<void>(inspect(segment)); });
    const Map map = Map::open(segment, "config");
    static_cast<void>(map.options());
    static_cast<void>(map.size());
  }

  FacilityWorld& world_;
  const Segment& segment_;
  const Map map_;
  const std::shared_ptr<detail::PoolCore> pool_;
  Input& input_;
  unsigned made_ = 0;
  unsigned opened_ = 0;
  std::map<std::uint64_t, std::optional<std::string>> values_;  // of keys that the script has changed; none: erased
  std::uint64_t drafted_[kHandles] = {};
  std::unique_ptr<LiveWriter> writers_[kHandles];
  std::unique_ptr<LiveReader> readers_[kHandles];
  std::vector<MapValue> kept_;
};

}  // namespace
}  // namespace sapbuf::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sapbuf;
  fuzz::Input input{data, size};
  const std::uint8_t choice = input.byte();
  fuzz::FacilityWorld world{fuzz::busy_map(choice), choice, input};
  fuzz::tolerate([&] {
    const Segment segment = Segment::open_in(world.memory());
    fuzz::Script{world, segment, input}.run();
  });
  return 0;
}
