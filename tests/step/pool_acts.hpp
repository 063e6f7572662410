// What users of a pool do while they are stepped: the pieces that operations and stages of pools are made of.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/possessions.hpp"
#include "support/script.hpp"

namespace sapbuf::test {

// What a stepped user needs to know.
struct PoolScene {
  std::string name;  // of the segment
  Possessions& notes;
  Diary& diary;  // of the messages that it wrote
  std::uint32_t who;
  std::vector<Offer> offers;
};

// In the child: attaches, comes to where the operation begins, and returns the operation. Its handles stay open until
// it is killed.
using PoolPart = std::function<std::function<void()>(const PoolScene&)>;

// A user that has taken so many buffers.
PoolPart user_that(std::size_t has, std::function<void(Hand&, const PoolScene&)> act);
// One that has a run of so many.
PoolPart runner_that(std::uint32_t has, std::function<void(Hand&, const PoolScene&)> act);
// One that has shared them, and holds them.
PoolPart sharer_that(std::size_t has, std::function<void(Hand&, const PoolScene&)> act);
// One that has adopted the first thing that was offered.
PoolPart adopter_that(std::function<void(Hand&, const PoolScene&)> act);
// One that has so many at hand, and uses none.
PoolPart idler_that(std::size_t at_hand, std::function<void(Hand&, const PoolScene&)> act);
// A user whose buffer was acquired by another thread than that which acts.
PoolPart elsewhere_that(bool shares, std::function<void(Hand&, const PoolScene&)> act);

void acquire(Hand& hand, const PoolScene&);
void acquire_two(Hand& hand, const PoolScene&);
void acquire_and_release(Hand& hand, const PoolScene&);
void wait_shortly_for_one(Hand& hand, const PoolScene&);
void wait_for_one(Hand& hand, const PoolScene&);
void release(Hand& hand, const PoolScene&);
void share(Hand& hand, const PoolScene&);
void share_and_release(Hand& hand, const PoolScene&);
// The last thing that was offered: a scan comes to it behind the others, which it has freed by then.
void adopt(Hand& hand, const PoolScene& scene);
void adopt_and_release(Hand& hand, const PoolScene& scene);
void acquire_run(Hand& hand, const PoolScene&);
void acquire_middle(Hand& hand, const PoolScene&);
void acquire_largest(Hand& hand, const PoolScene&);
void acquire_middle_again(Hand& hand, const PoolScene&);
void acquire_small_run(Hand& hand, const PoolScene&);
void release_run(Hand& hand, const PoolScene&);
void trim(Hand& hand, const PoolScene&);
void close_user(Hand& hand, const PoolScene&);
void close_user_and_release(Hand& hand, const PoolScene&);

// A writer with a user.
struct AttachTurn {
  Writer& writer;
  Hand& hand;
  const PoolScene& scene;
};
// That has taken so many buffers; the first of them adopted from an offer, if `shared`.
PoolPart attacher_that(std::size_t has, bool shared, std::function<void(const AttachTurn&)> act);

// All that it has, as messages of one buffer each.
void attach_all(const AttachTurn& turn);
// All that it has to one message, which is aborted.
void attach_and_abort(const AttachTurn& turn);
void attach_batch(const AttachTurn& turn);
void only_attach(const AttachTurn& turn);

// A reader that adopts what it finds, keeps the last of it, and leaves.
std::function<void()> read_and_adopt(const PoolScene& scene);
std::function<void()> attach_user(const PoolScene& scene);
std::function<void()> recover_pool(const PoolScene& scene);

}  // namespace sapbuf::test
