#include "step/queue_acts.hpp"

#include <cstring>
#include <stdexcept>

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

// What a call waits for may be a process that is not let go on before the call ends.
constexpr std::chrono::milliseconds kShortly{2};

// It stays until the process is killed.
struct QueuePlace {
  explicit QueuePlace(const QueueScene& here) : scene(here), hands(here.name, "victim", kShortly) {}
  QueueScene scene;
  QueueHands hands;
};

}  // namespace

QueuePart end_that(QueueAct act) { return holder_that(0, act); }

QueuePart holder_that(std::size_t has, QueueAct act) {
  return [has, act](const QueueScene& scene) -> std::function<void()> {
    auto* const place = new QueuePlace(scene);
    while (place->hands.held.size() < has) {
      TakenBlock block = place->hands.consumer.take();
      if (!block) throw std::runtime_error("nothing to take");
      place->hands.held.push_back(std::move(block));
    }
    return [place, act] { act(place->hands, place->scene); };
  };
}

void release_one(QueueHands& hands, const QueueScene& scene) {
  static_cast<void>(release_number(hands.jobs, scene.notes, scene.number));
}

void release_some(QueueHands& hands, const QueueScene& scene) {
  ReservedBlocks blocks = hands.jobs.reserve(3);
  if (blocks.size() < 2) return;
  for (std::uint64_t i = 0; i < 2; ++i) {
    const std::uint64_t number = scene.number + i;
    const std::span<std::byte> bytes = blocks[i].bytes();
    for (std::size_t at = 0; at < bytes.size(); at += sizeof number) std::memcpy(&bytes[at], &number, sizeof number);
    blocks[i].set_key(number % kMessageKeys);
    scene.notes.releasing[number] = true;
  }
  const std::size_t released = blocks.release(2);
  for (std::uint64_t i = 0; i < 2; ++i) {
    (i < released ? scene.notes.released : scene.notes.releasing)[scene.number + i] = i < released;
  }
}

void take_one(QueueHands& hands, const QueueScene&) {
  if (TakenBlock block = hands.consumer.take()) hands.held.push_back(std::move(block));
}

void take_and_finish(QueueHands& hands, const QueueScene& scene) {
  if (TakenBlock block = hands.consumer.take()) finish(block, scene.notes);
}

void finish_all(QueueHands& hands, const QueueScene& scene) {
  for (TakenBlock& block : hands.held) finish(block, scene.notes);
}

void put_back_all(QueueHands& hands, const QueueScene&) { hands.held.clear(); }

void put_back_for_later(QueueHands& hands, const QueueScene&) {
  for (TakenBlock& block : hands.held) block.put_back_after(1ms);
}

void pass_all(QueueHands& hands, const QueueScene&) {
  for (TakenBlock& block : hands.held) {
    if (block.pass_to(hands.answers) != Status::ok) throw std::runtime_error("not passed on");
  }
}

void leave_queue(QueueHands& hands, const QueueScene&) {
  hands.held.clear();
  hands.consumer.close();
  hands.jobs.close();
  hands.answers.close();
}

std::function<void()> attach_to_queue(const QueueScene& scene) {
  auto* const segment = new Segment(Segment::open(scene.name));
  static_cast<void>(Queue::open(*segment, "answers"));
  return [name = scene.name] { new QueueHands(name, "victim", kShortly); };
}

std::function<void()> recover_queue(const QueueScene& scene) {
  auto* const segment = new Segment(Segment::open(scene.name));
  static_cast<void>(Queue::open(*segment, "jobs"));
  return [segment] { recover(*segment); };
}

}  // namespace sapbuf::test
