// What producers and consumers of queues do while they are stepped: the pieces that operations and stages of queues are
// made of.
#pragma once

#include <functional>
#include <string>

#include "step/queue_world.hpp"

namespace sapbuf::test {

// What a stepped actor needs to know.
struct QueueScene {
  std::string name;  // of the segment
  QueueNotes& notes;
  std::uint64_t number;  // the first one of its messages
};

// In the child: attaches, comes to where the operation begins, and returns the operation. Its handles stay open until
// it is killed.
using QueuePart = std::function<std::function<void()>(const QueueScene&)>;
using QueueAct = void (*)(QueueHands& hands, const QueueScene& scene);

QueuePart end_that(QueueAct act);
// One that has taken so many blocks.
QueuePart holder_that(std::size_t has, QueueAct act);

void release_one(QueueHands& hands, const QueueScene& scene);
// Reserves three, and keeps the last one.
void release_some(QueueHands& hands, const QueueScene& scene);
void take_one(QueueHands& hands, const QueueScene& scene);
void take_and_finish(QueueHands& hands, const QueueScene& scene);
void finish_all(QueueHands& hands, const QueueScene& scene);
void put_back_all(QueueHands& hands, const QueueScene& scene);
void put_back_for_later(QueueHands& hands, const QueueScene& scene);
void pass_all(QueueHands& hands, const QueueScene& scene);
void leave_queue(QueueHands& hands, const QueueScene& scene);

std::function<void()> attach_to_queue(const QueueScene& scene);
std::function<void()> recover_queue(const QueueScene& scene);

}  // namespace sapbuf::test
