// The oracle of pools: what must hold after a user was killed, or several have met, whatever they were doing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "step/experiment.hpp"
#include "step/pool_world.hpp"

namespace sapbuf::test {

// A user that was stepped.
struct Stepped {
  std::uint32_t who = 0;
  const Diary* diary = nullptr;
  // What it has, if it lives still; then it is outside of its operation.
  const Possessions* has = nullptr;
};

// Lets all go on, and accounts for every buffer: each is somebody's who lives and knows of it, and says what it must; a
// fresh user gets all the others, and none of these. Whoever waited is served; what messages have attached can be
// adopted; committed messages are delivered once. When all have left (`leave`: those who were stepped), all buffers can
// be had, the figures balance, and the words say nothing else. Says what is wrong; nothing if all is right.
std::string judge(PoolWorld& world, const std::vector<Stepped>& stepped, Healer healer,
                  const std::function<void()>& leave);

}  // namespace sapbuf::test
