#include "soak/plan.hpp"

#include <fmt/format.h>

#include "common/human.hpp"
#include "soak/clock.hpp"
#include "soak/dice.hpp"

namespace sapbuf::soak {

Plan plan_round(std::uint64_t seed, std::uint64_t number, std::uint64_t length_ns) {
  Plan plan;
  plan.number = number;
  plan.seed = mix(seed) ^ mix(number);
  plan.length_ns = length_ns;
  Dice dice{plan.seed};
  plan.options.order = number % 2 == 0 ? Order::per_writer : Order::total;
  constexpr OnFull kPolicies[] = {OnFull::block, OnFull::drop, OnFull::overwrite};
  plan.options.on_full = kPolicies[number / 2 % 3];
  plan.watchdog = number / 6 % 2 == 0;
  plan.options.slabs = static_cast<std::uint32_t>(dice.between(2, 8));
  plan.options.slab_bytes = std::uint64_t{4096} << (2 * dice.below(6));  // 4 KiB to 4 MiB
  if (number % kRoundsOfAllKinds == kRoundsOfAllKinds - 1) {             // and 64 MiB, in long soaks
    plan.options.slabs = 3;
    plan.options.slab_bytes = number < kRoundsOfAllKinds ? plan.options.slab_bytes : std::uint64_t{64} << 20;
  }
  plan.largest_percent = dice.one_of({10u, 50u, 90u});
  plan.producers = static_cast<std::uint32_t>(dice.between(2, 5));
  plan.readers = static_cast<std::uint32_t>(dice.between(2, 4));
  plan.stops = !dice.one_in(3);
  plan.event_every_ns = dice.one_of({15u, 30u, 60u}) * kMillisecond;
  return plan;
}

std::string describe(const Plan& plan) {
  return fmt::format("{}, {}, {} x {}, {} producers, {} readers{}{}", to_string(plan.options.order),
                     to_string(plan.options.on_full), plan.options.slabs, tools::human_bytes(plan.options.slab_bytes),
                     plan.producers, plan.readers, plan.watchdog ? ", watchdog" : "", plan.stops ? ", stops" : "");
}

}  // namespace sapbuf::soak
