#include "step/bystander.hpp"

#include <csignal>
#include <stdexcept>

namespace sapbuf::test {

bool dies_at(KillPoint kill_point, unsigned nth, const std::function<void()>& live) {
  Child victim{[&](Link&) {
    kill_point::arm(kill_point, kill_self, nth);
    live();
  }};
  return victim.wait() == -SIGKILL;
}

std::unique_ptr<Child> stopped_at(KillPoint kill_point, const std::function<void()>& live) {
  auto bystander = std::make_unique<Child>([&](Link&) {
    kill_point::arm(kill_point, stop_self);
    live();
  });
  if (!eventually([&] { return bystander->has_stopped() || bystander->has_ended(); })) {
    throw std::runtime_error("the bystander neither stops nor ends");
  }
  if (!bystander->has_ended()) return bystander;
  if (bystander->wait() != 0) throw std::runtime_error("the bystander failed");
  return nullptr;
}

}  // namespace sapbuf::test
