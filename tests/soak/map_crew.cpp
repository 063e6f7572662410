#include "soak/map_crew.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <stdexcept>

#include "support/map_invariants.hpp"

namespace sapbuf::soak {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kConfig = "config";  // the map
constexpr std::string_view kValues = "values";  // its pool
constexpr std::string_view kState = "state";    // the cell
constexpr std::size_t kMostBytes = 200;
constexpr std::uint64_t kBuffers = 96;
constexpr std::uint64_t kKeys = 12;  // 0 is the counter, 1 and 2 are flipped together; the others come and go
constexpr std::uint64_t kCounter = 0;
constexpr std::uint64_t kPair[] = {1, 2};
constexpr std::uint64_t kFirstOther = 3;
constexpr std::size_t kMapWriters = 2;
constexpr std::size_t kMapReaders = 2;

// All words are the same number, but for the first one, the key.
std::size_t value_bytes(std::uint64_t number) noexcept { return 16 + number % (kMostBytes / 8 - 1) * 8; }

void fill(std::span<std::byte> bytes, std::uint64_t key, std::uint64_t number) noexcept {
  std::memcpy(bytes.data(), &key, sizeof key);
  for (std::size_t at = 8; at < bytes.size(); at += 8) std::memcpy(&bytes[at], &number, sizeof number);
}

// Throws if it is not whole, or another key's.
std::uint64_t number_in(std::span<const std::byte> bytes, std::uint64_t key) {
  std::uint64_t number = 0;
  if (bytes.size() >= 16) std::memcpy(&number, &bytes[8], sizeof number);
  std::array<std::byte, kMostBytes> whole;
  const std::span wanted = std::span{whole}.first(bytes.size() >= 16 ? value_bytes(number) : 0);
  if (wanted.size() == bytes.size()) fill(wanted, key, number);
  if (wanted.size() != bytes.size() || std::memcmp(wanted.data(), bytes.data(), bytes.size()) != 0) {
    throw std::runtime_error(fmt::format("a value of key {} is torn, or another's", key));
  }
  return number;
}

// Of the cell: counts its stores.
using State = std::array<std::uint64_t, 6>;

void see_whole(const State& state, std::uint64_t version) {
  for (const std::uint64_t word : state) {
    if (word != version) throw std::runtime_error("the cell's value is torn, or an update was lost");
  }
}

class MapWriting {
 public:
  MapWriting(const std::string& segment, MapBoard& board, std::uint32_t who, Dice dice)
      : board_(board),
        next_(std::uint64_t{who} << 32),
        dice_(dice),
        segment_(Segment::open(segment)),
        writer_(Map::open(segment_, kConfig), {.timeout = 20ms}),
        state_(segment_, kState) {}

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      write();
      state_.update([](State& state) { state.fill(state[0] + 1); });
      if (dice_.one_in(4)) ::usleep(static_cast<unsigned>(dice_.below(300)));
    }
  }

 private:
  // Those that are stopped may have a key, or be making room, or keep old versions for longer than this waits.
  void note(Status status) {
    switch (status) {
      case Status::ok:
        board_.written.fetch_add(1, std::memory_order_relaxed);
        return;
      case Status::timeout:
      case Status::exhausted:
      case Status::not_found:
      case Status::exists:
        return;
      default:
        throw std::runtime_error(fmt::format("a writer of the map is told {}", to_string(status)));
    }
  }

  void write() {
    const std::uint64_t key = dice_.between(kFirstOther, kKeys - 1);
    switch (dice_.below(8)) {
      case 0:
      case 1:
        return count();
      case 2:
        return note(flip_pair(++next_));
      case 3:
        return note(writer_.erase(key));
      case 4: {
        std::array<std::byte, kMostBytes> value;
        const std::span bytes = std::span{value}.first(value_bytes(++next_));
        fill(bytes, key, next_);
        return note(writer_.insert(key, bytes));
      }
      default:
        return put(key, ++next_);
    }
  }

  void put(std::uint64_t key, std::uint64_t number) {
    MapDraft draft = writer_.prepare(key, value_bytes(number));
    if (!draft) return note(draft.status());
    fill(draft.bytes(), key, number);
    if (!dice_.one_in(16)) note(draft.flip());
  }

  void count() {
    board_.updates_begun.fetch_add(1);
    const Status status = writer_.update(kCounter, [](std::span<const std::byte> old, MapDraft& fresh) {
      const std::uint64_t number = number_in(old, kCounter) + 1;
      fill(fresh.resize(value_bytes(number)), kCounter, number);
    });
    status == Status::ok ? board_.updates_ended.fetch_add(1) : board_.updates_begun.fetch_sub(1);
    note(status);
  }

  Status flip_pair(std::uint64_t number) {
    Transaction both{writer_};
    std::array<std::byte, kMostBytes> value;
    for (const std::uint64_t key : kPair) {
      const std::span bytes = std::span{value}.first(value_bytes(number));
      fill(bytes, key, number);
      if (const Status status = both.put(key, bytes); status != Status::ok) return status;
    }
    return both.commit();
  }

  MapBoard& board_;
  std::uint64_t next_;
  Dice dice_;
  const Segment segment_;
  MapWriter writer_;
  Cell<State> state_;
};

class MapReading {
 public:
  MapReading(const std::string& segment, MapBoard& board, Dice dice)
      : board_(board),
        dice_(dice),
        segment_(Segment::open(segment)),
        reader_(Map::open(segment_, kConfig)),
        state_(segment_, kState) {
    for (std::uint64_t key = 0; key < kKeys; ++key) entries_.push_back(reader_.entry(key));
  }

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      for (std::uint64_t key = 0; key < kKeys; ++key) look_at(key);
      const auto [state, version] = state_.load_versioned();
      see_whole(state, version);
      if (dice_.one_in(16)) visit_all();
      if (dice_.one_in(8)) reader_.wait_changed(reader_.version(), 1ms);
    }
  }

 private:
  struct Kept {
    MapValue value;
    std::uint64_t key;
    std::uint64_t number;
  };

  void look_at(std::uint64_t key) {
    MapValue value = entries_[key].read();
    if (!value) {
      if (value.status() == Status::not_found && key >= kFirstOther) return;
      throw std::runtime_error(fmt::format("key {}: {}", key, to_string(value.status())));
    }
    if (value.version() < newest_[key]) throw std::runtime_error(fmt::format("key {} went back", key));
    newest_[key] = value.version();
    const std::uint64_t number = number_in(value.bytes(), key);
    board_.read.fetch_add(1, std::memory_order_relaxed);
    if (dice_.one_in(16)) kept_.push_back({std::move(value), key, number});
    while (kept_.size() > dice_.below(12)) let_go_of(dice_.below(kept_.size()));
  }

  void let_go_of(std::size_t which) {
    const Kept& kept = kept_[which];
    if (number_in(kept.value.bytes(), kept.key) != kept.number) {
      throw std::runtime_error("a version was changed under its reader");
    }
    kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void visit_all() {
    const Status status = reader_.for_each([](std::string_view name, const MapValue& value) {
      std::uint64_t key = 0;
      std::memcpy(&key, name.data(), std::min(name.size(), sizeof key));
      static_cast<void>(number_in(value.bytes(), key));
    });
    if (status != Status::ok) throw std::runtime_error(fmt::format("a visit of all keys: {}", to_string(status)));
  }

  MapBoard& board_;
  Dice dice_;
  const Segment segment_;
  MapReader reader_;
  Cell<const State> state_;
  std::vector<MapEntry> entries_;
  std::array<std::uint64_t, kKeys> newest_{};
  std::vector<Kept> kept_;
};

}  // namespace

MapCrew::MapCrew(std::string segment, const Plan& plan, RoundResult& result)
    : segment_(std::move(segment)),
      result_(result),
      crew_(plan, 2, result, &RoundResult::map_kills, *board_,
            {{"a map's writer", kMapWriters,
              [this](std::uint32_t who, Dice dice) {
                MapWriting{segment_, *board_, who, dice}.run();
              }},
             {"a map's reader", kMapReaders, [this](std::uint32_t, Dice dice) {
                MapReading{segment_, *board_, dice}.run();
              }}}) {
  Dice dice{mix(plan.seed ^ 1)};
  const Segment own = Segment::open(segment_);
  Pool::create(own, kValues, {.buffer_bytes = kMostBytes + sizeof(layout::AboutValue), .count = kBuffers});
  const Map map = Map::create(
      own, kConfig, {.keys = dice.one_of({4u, 16u}), .max_keys = 16, .pool = std::string(kValues), .key_bytes = 8});
  const Cell<State> state{own, kState};
  MapWriter writer{map};
  for (std::uint64_t key = 0; key < kFirstOther; ++key) {
    std::array<std::byte, kMostBytes> value;
    const std::span bytes = std::span{value}.first(value_bytes(0));
    fill(bytes, key, 0);
    if (writer.put(key, bytes) != Status::ok) throw std::runtime_error("the map takes no value");
  }
}

void MapCrew::await_end() {
  board_->finish.store(true);
  crew_.await_end();
  result_.values_written += board_->written.load();
  result_.values_read += board_->read.load();
}

void MapCrew::audit() {
  const Segment own = Segment::open(segment_);
  const Map map = Map::open(own, kConfig);
  const auto complain = [&](std::string text) { result_.violations.push_back("the map: " + std::move(text)); };
  if (const std::string broken = test::broken_map_invariant(map); !broken.empty()) complain(broken);
  {
    const MapReader reader{map, {.name = "auditor"}};
    const std::uint64_t counted = number_in(reader.read(kCounter).bytes(), kCounter);
    const std::uint64_t ended = board_->updates_ended.load();
    const std::uint64_t begun = board_->updates_begun.load();
    if (counted < ended || counted > begun) {
      complain(fmt::format("{} updates are in it, of {} that were begun and {} that ended", counted, begun, ended));
    }
    const MapValue one = reader.read(kPair[0]);
    const MapValue other = reader.read(kPair[1]);
    if (number_in(one.bytes(), kPair[0]) != number_in(other.bytes(), kPair[1])) {
      complain("of two keys that are flipped together one was");
    }
    const auto [state, version] = Cell<const State>{own, kState}.load_versioned();
    see_whole(state, version);
  }
  PoolUser auditor{Pool::open(own, kValues), {.name = "auditor"}};
  std::vector<Buffer> all;
  while (Buffer buffer = auditor.acquire_for(1ms)) all.push_back(std::move(buffer));
  const std::uint64_t there = all.size() + map.size();
  result_.buffers_leaked += kBuffers - there;
  if (there != kBuffers) complain(fmt::format("{} buffers of {} are values or free", there, kBuffers));
}

}  // namespace sapbuf::soak
