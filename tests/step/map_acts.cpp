#include "step/map_acts.hpp"

#include <cstring>
#include <stdexcept>

#include <sapbuf/detail/kill_point.hpp>

namespace sapbuf::test {

namespace {

// What a call waits for may be a process that is not let go on before the call ends.
constexpr std::chrono::milliseconds kShortly{2};

// It stays until the process is killed.
struct MapPlace {
  explicit MapPlace(const MapScene& here) : scene(here), hands(here.name, "victim", kShortly) {}
  MapScene scene;
  MapHands hands;
};

void note_begun(const MapScene& scene, MapKeyNumber key) { scene.notes.keys[key].begun.store(scene.value); }
void note(const MapScene& scene, MapKeyNumber key, Status status) {
  if (status == Status::ok) scene.notes.keys[key].ended.store(scene.value);
}

void keep_all(MapHands& hands) {
  for (MapEntry& entry : hands.entries) {
    if (MapValue value = entry.read()) hands.kept.push_back(std::move(value));
  }
}

void see_whole(const MapValue& value) {
  if (value && number_in(value.bytes()) == 0) throw std::runtime_error("a value is torn");
}

}  // namespace

MapPart actor_that(MapAct act) {
  return [act](const MapScene& scene) -> std::function<void()> {
    auto* const place = new MapPlace(scene);
    return [place, act] { act(place->hands, place->scene); };
  };
}

MapPart keeper_that(MapAct act) {
  return [act](const MapScene& scene) -> std::function<void()> {
    auto* const place = new MapPlace(scene);
    keep_all(place->hands);
    return [place, act] { act(place->hands, place->scene); };
  };
}

MapPart flipper_that(MapAct act) {
  return [act](const MapScene& scene) -> std::function<void()> {
    auto* const place = new MapPlace(scene);
    bool looked = false;
    const auto flip = [&] {
      if (place->hands.writer.put(name_of(kFlippedKey), map_value(kFirstValue)) != Status::ok) {
        throw std::runtime_error("the victim cannot flip");
      }
    };
    const auto flips_until_a_look = [&] {
      kill_point::arm(KillPoint::unkept_dying, [&] { looked = true; });
      looked = false;
      unsigned flips = 0;
      while (!looked) {
        flip();
        ++flips;
      }
      return flips;
    };
    flips_until_a_look();
    const unsigned period = flips_until_a_look();
    kill_point::disarm();
    for (unsigned i = 1; i < period; ++i) flip();
    return [place, act] { act(place->hands, place->scene); };
  };
}

void read_all(MapHands& hands, const MapScene&) {
  keep_all(hands);
  for (const MapValue& value : hands.kept) see_whole(value);
}
void read_by_name(MapHands& hands, const MapScene&) { see_whole(hands.reader.read(name_of(kFlippedKey))); }
void visit_all(MapHands& hands, const MapScene&) {
  static_cast<void>(hands.reader.for_each([](std::string_view, const MapValue& value) { see_whole(value); }));
}
void let_go(MapHands& hands, const MapScene&) { hands.kept.clear(); }

void put(MapHands& hands, const MapScene& scene) {
  note_begun(scene, kFlippedKey);
  note(scene, kFlippedKey, hands.writer.put(name_of(kFlippedKey), map_value(scene.value)));
}

void flip_if_unchanged(MapHands& hands, const MapScene& scene) {
  const std::uint64_t version = hands.entries[kFlippedKey].read().version();
  MapDraft draft = hands.writer.prepare(name_of(kFlippedKey), map_value(scene.value).size());
  if (!draft) return;
  std::memcpy(draft.bytes().data(), map_value(scene.value).data(), draft.bytes().size());
  note_begun(scene, kFlippedKey);
  note(scene, kFlippedKey, draft.flip_if(version));
}

void update(MapHands& hands, const MapScene& scene) {
  scene.notes.updates_begun.fetch_add(1);
  const auto one_more = [](std::span<const std::byte> old, MapDraft& fresh) {
    const std::vector<std::byte> value = map_value(number_in(old) + 1);
    std::memcpy(fresh.bytes().data(), value.data(), value.size());
  };
  if (hands.writer.update(name_of(kUpdatedKey), one_more) == Status::ok) scene.notes.updates_ended.fetch_add(1);
}

void insert(MapHands& hands, const MapScene& scene) {
  note_begun(scene, kFreshKey);
  note(scene, kFreshKey, hands.writer.insert(name_of(kFreshKey), map_value(scene.value)));
}

void erase(MapHands& hands, const MapScene& scene) {
  scene.notes.erased_begun.store(1);
  if (hands.writer.erase(name_of(kErasedKey)) == Status::ok) scene.notes.erased_ended.store(1);
}

void commit(MapHands& hands, const MapScene& scene) {
  Transaction both{hands.writer};
  for (const MapKeyNumber key : {kFirstOfPair, kSecondOfPair}) {
    if (both.put(name_of(key), map_value(scene.value)) != Status::ok) return;
    note_begun(scene, key);
  }
  const Status status = both.commit();
  for (const MapKeyNumber key : {kFirstOfPair, kSecondOfPair}) note(scene, key, status);
}

void commit_with_fresh(MapHands& hands, const MapScene& scene) {
  Transaction all{hands.writer};
  for (const MapKeyNumber key : {kFirstOfPair, kFreshKey, kSecondOfPair}) {
    if (all.put(name_of(key), map_value(scene.value)) != Status::ok) return;
    note_begun(scene, key);
  }
  scene.notes.fresh_with_pair.store(true);
  const Status status = all.commit();
  for (const MapKeyNumber key : {kFirstOfPair, kFreshKey, kSecondOfPair}) note(scene, key, status);
}

void leave(MapHands& hands, const MapScene&) {
  hands.kept.clear();
  hands.entries.clear();
  hands.reader.close();
  hands.writer.close();
}

std::function<void()> attach_to_map(const MapScene& scene) {
  static_cast<void>(new Segment(Segment::open(scene.name)));
  return [name = scene.name] { new MapHands(name, "victim", kShortly); };
}

std::function<void()> recover_map(const MapScene& scene) {
  auto* const segment = new Segment(Segment::open(scene.name));
  static_cast<void>(Map::open(*segment, "config"));
  return [segment] { recover(*segment); };
}

}  // namespace sapbuf::test
