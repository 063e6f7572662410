// Situations in which several participants meet, and what each of them may be doing then.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "step/acts.hpp"
#include "step/world.hpp"

namespace sapbuf::test {

struct Actor {
  const char* name;
  Part part;
};

struct Stage {
  const char* name;
  Order order = Order::per_writer;
  OnFull on_full = OnFull::block;
  std::function<void(World&)> before;         // before the actors attach
  std::function<void(World&)> when_in_place;  // when they stand at the beginning of what they do
  std::vector<Actor> actors;
};

std::span<const Stage> stages();

}  // namespace sapbuf::test
