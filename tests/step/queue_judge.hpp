// The oracle of queues: what must hold after a producer or consumer was killed, or several have met, whatever they were
// doing.
#pragma once

#include <functional>
#include <string>

#include "step/experiment.hpp"
#include "step/queue_world.hpp"

namespace sapbuf::test {

// Lets all go on, and takes everything out of the queues: each message that was released, and that nobody was done with,
// is there once, whole, and behind all older ones of its key where keys have lanes; none that somebody was done with, and
// none that nobody released. When all have left (`leave`: those who were stepped), all buffers are free, and what came into
// the queues has left them. Says what is wrong; nothing if all is right.
std::string judge(QueueWorld& world, Healer healer, const std::function<void()>& leave);

}  // namespace sapbuf::test
