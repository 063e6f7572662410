// What readers and writers of maps do while they are stepped: the pieces that operations and stages of maps are made
// of.
#pragma once

#include <functional>
#include <string>

#include "step/map_world.hpp"

namespace sapbuf::test {

// What a stepped actor needs to know.
struct MapScene {
  std::string name;  // of the segment
  MapNotes& notes;
  std::uint64_t value;  // that it writes
};

// In the child: attaches, comes to where the operation begins, and returns the operation. Its handles stay open until
// it is killed.
using MapPart = std::function<std::function<void()>(const MapScene&)>;
using MapAct = void (*)(MapHands& hands, const MapScene& scene);

MapPart actor_that(MapAct act);
// One that keeps a version of each key.
MapPart keeper_that(MapAct act);
// One that has flipped so often that its next buffer is that of a version that it replaced.
MapPart flipper_that(MapAct act);

void read_all(MapHands& hands, const MapScene& scene);
void read_by_name(MapHands& hands, const MapScene& scene);
void visit_all(MapHands& hands, const MapScene& scene);
void let_go(MapHands& hands, const MapScene& scene);
void put(MapHands& hands, const MapScene& scene);
void flip_if_unchanged(MapHands& hands, const MapScene& scene);
void update(MapHands& hands, const MapScene& scene);
void insert(MapHands& hands, const MapScene& scene);
void erase(MapHands& hands, const MapScene& scene);
void commit(MapHands& hands, const MapScene& scene);
// The pair, and a key that is not there.
void commit_with_fresh(MapHands& hands, const MapScene& scene);
void leave(MapHands& hands, const MapScene& scene);

std::function<void()> attach_to_map(const MapScene& scene);
std::function<void()> recover_map(const MapScene& scene);

}  // namespace sapbuf::test
