// Situations in which several participants meet, and what each of them may be doing then.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "step/moments.hpp"

namespace sapbuf::test {

// Actors in place, each at the beginning of its operation.
class Scenery {
 public:
  virtual ~Scenery() = default;
  SteppedProcess& process(std::size_t actor) { return processes_[actor]; }
  SharedBytes& bytes() { return *bytes_; }

  // What is wrong after all have come to their ends, and left; nothing if all is right.
  virtual std::string judge() = 0;

 protected:
  std::size_t count() const noexcept { return processes_.size(); }
  void enter(const Prepare& prepare) {
    processes_.emplace_back(prepare);
    if (processes_.back().state() != SteppedProcess::State::stepping) throw std::runtime_error("an actor cannot begin");
  }
  void all_are_in_place(const std::string& segment_name) {
    bytes_ = std::make_unique<SharedBytes>(segment_name, std::span<const std::byte>{});
  }
  bool all_come_to_their_ends() {
    for (SteppedProcess& process : processes_) {
      if (process.run_to_end() != SteppedProcess::State::finished) return false;
    }
    return true;
  }
  void kill_all() {
    for (SteppedProcess& process : processes_) process.kill();
  }

 private:
  std::deque<SteppedProcess> processes_;
  std::unique_ptr<SharedBytes> bytes_;
};

struct Stage {
  const char* name;
  std::vector<const char*> actors;  // what they are called
  // With these of its actors; the same one may be there more than once.
  std::function<std::unique_ptr<Scenery>(std::span<const std::size_t> actors)> make;
};

std::vector<Stage> stream_stages();
std::vector<Stage> pool_stages();
std::vector<Stage> map_stages();
std::vector<Stage> queue_stages();

}  // namespace sapbuf::test
