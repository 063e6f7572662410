// A busy segment that the input has damaged, and goes on damaging while it is in use.
#pragma once

#include <exception>
#include <memory>
#include <optional>

#include "fuzz/input.hpp"
#include "support/hostile.hpp"

namespace sapbuf::fuzz {

// The first byte of an input chooses order, policy, fences, how full the stream is, and whether those who were at work
// in it live or are dead; then come a count and as many edits (see edit.hpp). What is left are pairs of a byte and an
// edit: the edit is made when the byte's number of kill points has been passed, so that bytes change under those who
// are just using them, in the same way each time an input is run. An input whose first byte says *peaceful* damages
// nothing: its edits are read, and not made.
class World {
 public:
  explicit World(Input& input);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  bool is_peaceful() const noexcept { return peaceful_; }
  const test::HeapMemory& memory() const noexcept { return memory_; }
  void edit(Input& input);
  // From now on the rest of the input is edits that are made on the way.
  void lie_in_wait(Input input);
  // The same with one edit only.
  void lie_in_wait_once(Input input);
  // One more moment at which an edit may come; the library's kill points are the others.
  static void pause();

 private:
  explicit World(std::uint8_t choice);

  const bool peaceful_;
  layout::StreamGeometry geometry_;
  test::HeapMemory memory_;
  std::optional<test::HeapMemory> spare_;  // takes the edits of a peaceful input
};

// Calls, and takes an Error for an answer.
template <typename Call>
void tolerate(Call call) {
  try {
    call();
  } catch (const Error&) {
    return;
  }
}

// For the targets whose inputs are scripts: takes steps as long as there is input; what nobody damaged is looked at behind
// each of them.
template <typename AnyWorld, typename Step, typename Look>
void take_steps(const AnyWorld& world, const Input& input, Step step, Look look) {
  constexpr unsigned kMostSteps = 150;
  for (unsigned taken = 0; taken < kMostSteps && !input.empty(); ++taken) {
    tolerate(step);
    if (world.is_peaceful()) look();
  }
}

// The two together for the targets that try one kind of use: opens what the input made of a busy segment, and uses it.
template <typename Use>
int run(const std::uint8_t* data, std::size_t size, Use use) {
  Input input{data, size};
  World world{input};
  tolerate([&] {
    const Segment segment = Segment::open_in(world.memory());
    world.lie_in_wait(input);
    use(segment);
  });
  return 0;
}

}  // namespace sapbuf::fuzz
