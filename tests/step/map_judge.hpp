// The oracle of maps: what must hold after a reader or writer was killed, or several have met, whatever they were
// doing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "step/experiment.hpp"
#include "step/map_world.hpp"

namespace sapbuf::test {

// Lets all go on, and looks at every key: it has a value that somebody gave it, whole, and no older one than the last
// that was given; keys that are flipped together agree once the dead are settled; no update was lost; what the
// neighbour keeps is as it was. Every key can be written at once. When all have left (`leave`: those who were stepped),
// all buffers but the keys' values can be had, and the words say nothing else. Says what is wrong; nothing if all is
// right.
std::string judge(MapWorld& world, const std::vector<const MapNotes*>& stepped, Healer healer,
                  const std::function<void()>& leave);

}  // namespace sapbuf::test
