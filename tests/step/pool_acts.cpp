#include "step/pool_acts.hpp"

#include <stdexcept>
#include <thread>

#include "step/pool_world.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

using HandAct = std::function<void(Hand&, const PoolScene&)>;

// They stay until the process is killed.
struct Place {
  explicit Place(const PoolScene& here)
      : scene(here),
        segment(Segment::open(here.name)),
        hand(Pool::open(segment, kFrames), here.notes, here.who, {.name = "victim"}) {}

  PoolScene scene;
  Segment segment;
  Hand hand;
};

Place* make_place(const PoolScene& scene) { return new Place(scene); }

void take(Hand& hand, std::size_t count) {
  while (hand.size() < count) {
    if (hand.take() != Status::ok) throw std::runtime_error("no buffer to begin with");
  }
}

void take_offered(Hand& hand, const PoolScene& scene) {
  if (hand.adopt(scene.offers.at(0)) != Status::ok) throw std::runtime_error("nothing to adopt");
}

std::function<void()> act_in(Place* place, const HandAct& act) {
  return [place, act] { act(place->hand, place->scene); };
}

}  // namespace

PoolPart user_that(std::size_t has, HandAct act) {
  return [=](const PoolScene& scene) {
    Place* const place = make_place(scene);
    take(place->hand, has);
    return act_in(place, act);
  };
}

PoolPart runner_that(std::uint32_t has, HandAct act) {
  return [=](const PoolScene& scene) {
    Place* const place = make_place(scene);
    if (place->hand.take_run(has) != Status::ok) throw std::runtime_error("no run to begin with");
    return act_in(place, act);
  };
}

PoolPart sharer_that(std::size_t has, HandAct act) {
  return [=](const PoolScene& scene) {
    Place* const place = make_place(scene);
    for (std::size_t i = 1; i <= has; ++i) {
      take(place->hand, i);
      place->hand.share();
    }
    return act_in(place, act);
  };
}

PoolPart adopter_that(HandAct act) {
  return [=](const PoolScene& scene) {
    Place* const place = make_place(scene);
    take_offered(place->hand, scene);
    return act_in(place, act);
  };
}

PoolPart idler_that(std::size_t at_hand, HandAct act) {
  return [=](const PoolScene& scene) {
    Place* const place = make_place(scene);
    take(place->hand, at_hand);
    place->hand.release_all();
    return act_in(place, act);
  };
}

PoolPart elsewhere_that(bool shares, HandAct act) {
  return [=](const PoolScene& scene) {
    Place* place = nullptr;
    std::thread{[&] {
      place = make_place(scene);
      take(place->hand, 1);
      if (shares) place->hand.share();
    }}.join();
    return act_in(place, act);
  };
}

void acquire(Hand& hand, const PoolScene&) { static_cast<void>(hand.take()); }
void acquire_two(Hand& hand, const PoolScene&) {
  for (int i = 0; i < 2; ++i) static_cast<void>(hand.take());
}
void acquire_and_release(Hand& hand, const PoolScene&) {
  if (hand.take() == Status::ok) hand.release_last();
}
void wait_shortly_for_one(Hand& hand, const PoolScene&) { static_cast<void>(hand.take_for(1us)); }
void wait_for_one(Hand& hand, const PoolScene&) {
  if (hand.take_for(20s) != Status::ok) throw std::runtime_error("nobody gave a buffer");
}
void release(Hand& hand, const PoolScene&) { hand.release_last(); }
void share(Hand& hand, const PoolScene&) { hand.share(); }
void share_and_release(Hand& hand, const PoolScene&) {
  hand.share();
  hand.release_last();
}
void adopt(Hand& hand, const PoolScene& scene) { static_cast<void>(hand.adopt(scene.offers.back())); }
void adopt_and_release(Hand& hand, const PoolScene& scene) {
  if (hand.adopt(scene.offers.back()) == Status::ok) hand.release_last();
}
void acquire_run(Hand& hand, const PoolScene&) { static_cast<void>(hand.take_run(kRun)); }
void acquire_small_run(Hand& hand, const PoolScene&) { static_cast<void>(hand.take_run(3)); }
void acquire_middle(Hand& hand, const PoolScene&) { static_cast<void>(hand.take(kMiddleBytes)); }
void acquire_largest(Hand& hand, const PoolScene&) { static_cast<void>(hand.take(kLargestBytes)); }
void acquire_middle_again(Hand& hand, const PoolScene& scene) {
  if (hand.take(kMiddleBytes) == Status::ok) hand.release_last();  // a bystander may have all that there is
  acquire_middle(hand, scene);
}
void release_run(Hand& hand, const PoolScene&) { hand.release_run(); }
void trim(Hand& hand, const PoolScene&) { hand.pool().trim(); }
void close_user(Hand& hand, const PoolScene&) { hand.close(); }
void close_user_and_release(Hand& hand, const PoolScene&) {
  hand.close();
  hand.release_all();
}

PoolPart attacher_that(std::size_t has, bool shared, std::function<void(const AttachTurn&)> act) {
  return [=](const PoolScene& scene) -> std::function<void()> {
    Place* const place = make_place(scene);
    auto* const writer = new Writer{place->segment, {.name = "victim", .timeout = 0ms}};
    if (shared) take_offered(place->hand, scene);
    take(place->hand, has);
    return [=] { act(AttachTurn{*writer, place->hand, place->scene}); };
  };
}

void attach_all(const AttachTurn& turn) {
  while (turn.hand.size() != 0) {
    if (put_attached(turn.writer, turn.hand) != Status::ok) return;
    turn.scene.diary.committed.fetch_add(1);
  }
}

void attach_and_abort(const AttachTurn& turn) {
  Reservation slot = turn.writer.reserve(sizeof(AttachedMessage));
  while (slot && turn.hand.size() != 0) {
    auto [buffer, noted] = turn.hand.give_away();
    if (slot.attach(std::move(buffer))) continue;
    turn.hand.take_back(std::move(buffer), noted);
    break;
  }
  slot.abort();
}

void attach_batch(const AttachTurn& turn) {
  turn.scene.diary.at_once.store(turn.hand.size());
  const std::size_t messages = turn.hand.size();
  Batch batch = turn.writer.reserve_batch_of(messages, sizeof(AttachedMessage));
  if (!batch) return;
  for (std::size_t i = 0; i < messages; ++i) {
    auto [buffer, noted] = turn.hand.give_away();
    const AttachedMessage message{turn.scene.who, Possessions::content_of(noted)};
    std::memcpy(batch.append(sizeof message).data(), &message, sizeof message);
    if (batch.attach(std::move(buffer))) continue;
    turn.hand.take_back(std::move(buffer), noted);
    return batch.abort();
  }
  batch.commit();
  turn.scene.diary.committed.fetch_add(messages);
}

void only_attach(const AttachTurn& turn) {
  auto* const slot = new Reservation(turn.writer.reserve(sizeof(AttachedMessage)));
  if (!*slot) return;
  auto [buffer, noted] = turn.hand.give_away();
  if (!slot->attach(std::move(buffer))) turn.hand.take_back(std::move(buffer), noted);
}

std::function<void()> read_and_adopt(const PoolScene& scene) {
  Place* const place = make_place(scene);
  auto* const reader = new Reader{place->segment, {.name = "victim"}};
  return [=] {
    while (reader->wait_for(0ms)) {
      for (const Frame& frame : reader->pin()) {
        AttachedMessage said;
        std::memcpy(&said, frame.bytes().data(), sizeof said);
        for (const BufferReference& reference : frame.attachments()) {
          if (place->hand.size() != 0) place->hand.release_last();
          if (place->hand.adopt({reference, said.content}) != Status::ok)
            throw std::runtime_error("an attached buffer is gone");
        }
      }
    }
    reader->close();
  };
}

std::function<void()> attach_user(const PoolScene& scene) {
  auto* const pool = new Pool{Pool::open(Segment::open(scene.name), kFrames)};
  return [pool] { new PoolUser{*pool, {.name = "victim"}}; };
}

std::function<void()> recover_pool(const PoolScene& scene) {
  auto* const segment = new Segment{Segment::open(scene.name)};
  return [segment] { recover(*segment); };
}

}  // namespace sapbuf::test
