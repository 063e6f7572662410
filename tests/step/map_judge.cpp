#include "step/map_judge.hpp"

#include <cstring>
#include <optional>

#include "support/map_invariants.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

class Judge {
 public:
  Judge(MapWorld& world, const std::vector<const MapNotes*>& stepped, Healer healer, const std::function<void()>& leave)
      : world_(world), stepped_(stepped), healer_(healer), leave_(leave) {}

  std::string run() {
    look_at_keys("before anybody recovers");
    if (world_.bystander) let_bystander_go_on();
    look_at_kept();
    heal();
    look_at_keys("in the end");
    look_at_pair();
    all_leave();
    return problem_;
  }

 private:
  void fail(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }

  std::optional<std::uint64_t> number_of(MapKeyNumber key) {
    const MapValue value = world_.neighbour->reader.read(name_of(key));
    if (!value && value.status() != Status::not_found) {
      fail(std::string(name_of(key)) + " cannot be read: " + std::string(to_string(value.status())));
    }
    if (!value) return std::nullopt;
    return number_in(value.bytes());
  }

  std::uint64_t sum(std::atomic<std::uint64_t> MapNotes::*figure) const {
    std::uint64_t all = 0;
    for (const MapNotes* notes : stepped_) all += (notes->*figure).load();
    return all;
  }

  // Whether that may be the key's value: nothing was given to it later than that.
  bool may_have(MapKeyNumber key, std::uint64_t number) const {
    bool has_other = false;
    for (const MapNotes* notes : stepped_) {
      const MapNotes::OfKey& said = notes->keys[key];
      if (number != 0 && number == said.begun.load()) return true;
      has_other = has_other || said.ended.load() != 0;
    }
    return number == (key == kFreshKey ? 0 : kFirstValue) && !has_other;
  }

  void look_at_keys(const char* when) {
    for (const MapKeyNumber key : {kFlippedKey, kFirstOfPair, kSecondOfPair, kFreshKey}) {
      const std::uint64_t number = number_of(key).value_or(0);
      if (!may_have(key, number)) {
        fail(std::string(when) + ": " + std::string(name_of(key)) + " has " + std::to_string(number));
      }
    }
    const std::uint64_t updated = number_of(kUpdatedKey).value_or(0);
    if (updated < kFirstValue + sum(&MapNotes::updates_ended) ||
        updated > kFirstValue + sum(&MapNotes::updates_begun)) {
      fail(std::string(when) + ": an update was lost or made up");
    }
    const std::optional<std::uint64_t> erased = number_of(kErasedKey);
    const bool may_be_gone = sum(&MapNotes::erased_begun) != 0;
    const bool may_be_there = sum(&MapNotes::erased_ended) == 0;
    if (erased ? !may_be_there || *erased != kFirstValue : !may_be_gone) {
      fail(std::string(when) + ": " + std::string(name_of(kErasedKey)) + (erased ? " is there" : " is gone"));
    }
  }

  // While it is stopped, others go on with all keys but its own.
  void let_bystander_go_on() {
    recover(world_.segment);
    look_at_keys("beside the stopped");
    world_.bystander->resume();
    if (!eventually([&] { return world_.bystander->has_ended(); })) return fail("the bystander does not end");
    if (world_.bystander->wait() != 0) fail("the bystander failed");
    world_.bystander.reset();
  }

  void heal() {
    if (!problem_.empty()) return;
    if (healer_ == Healer::recoverer) {
      if (!eventually([&] { return !recover(world_.segment).pending; })) return fail("recovery never ends");
      const std::string broken = broken_map_invariant(world_.map);
      if (!broken.empty()) return fail("after the recovery: " + broken);
    }
    write_all();
  }

  // Every key that is there, with what it has already; then a key of its own comes and goes.
  void write_all() {
    MapWriter writer{world_.map, {.name = "fresh", .timeout = kPatience}};
    const auto same = [](std::span<const std::byte> old, MapDraft& fresh) {
      std::memcpy(fresh.bytes().data(), old.data(), old.size());
    };
    for (std::uint32_t key = 0; key < kMapKeys; ++key) {
      const Status status = writer.update(name_of(static_cast<MapKeyNumber>(key)), same);
      if (status != Status::ok && status != Status::not_found) {
        return fail(std::string(name_of(static_cast<MapKeyNumber>(key))) +
                    " cannot be written: " + std::string(to_string(status)));
      }
    }
    if (writer.insert("the judge's", map_value(kFirstValue)) != Status::ok) return fail("no key can be inserted");
    if (writer.erase("the judge's") != Status::ok) fail("a key cannot be erased");
  }

  void look_at_pair() {
    const std::optional<std::uint64_t> first = number_of(kFirstOfPair);
    if (first != number_of(kSecondOfPair)) fail("of two that are flipped together one was");
    for (const MapNotes* notes : stepped_) {
      if (!notes->fresh_with_pair.load()) continue;
      const std::uint64_t value = notes->keys[kFreshKey].begun.load();
      if ((first == value) != (number_of(kFreshKey) == value)) fail("a key was not inserted together with the pair");
    }
  }

  // It is let go of then: whoever writes may need the buffers.
  void look_at_kept() {
    for (const MapValue& value : world_.neighbour->kept) {
      if (number_in(value.bytes()) != kFirstValue) fail("a version that somebody keeps is another one");
    }
    world_.neighbour->kept.clear();
  }

  void all_leave() {
    if (!problem_.empty()) return;
    leave_();
    world_.neighbour.reset();
    if (!eventually([&] { return !recover(world_.segment).pending; })) return fail("recovery never ends");
    const std::string broken = broken_map_invariant(world_.map);
    if (!broken.empty()) return fail("when all have left: " + broken);
    PoolUser last{world_.pool};
    std::vector<Buffer> all;
    while (Buffer buffer = last.acquire()) all.push_back(std::move(buffer));
    if (all.size() + world_.map.size() != world_.pool.count()) {
      return fail("in the end there are " + std::to_string(all.size()) + " buffers beside " +
                  std::to_string(world_.map.size()) + " values");
    }
    if (inspect(world_.segment).participants.size() != 1) fail("a slot was not released");
  }

  MapWorld& world_;
  const std::vector<const MapNotes*>& stepped_;
  const Healer healer_;
  const std::function<void()>& leave_;
  std::string problem_;
};

}  // namespace

std::string judge(MapWorld& world, const std::vector<const MapNotes*>& stepped, Healer healer,
                  const std::function<void()>& leave) {
  return Judge{world, stepped, healer, leave}.run();
}

}  // namespace sapbuf::test
