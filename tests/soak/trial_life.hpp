// A trial of life: what a process may do to itself, and to its descriptors, without being taken for dead.
#pragma once

#include "soak/trials.hpp"

namespace sapbuf::soak {

// Processes write from several threads while other threads fork, spawn and vfork at random moments, and close every
// descriptor that they do not know and use the numbers again for other files. Somebody looks for the dead all the time.
// Nobody may be declared dead, and nothing may be lost.
void live_carelessly(const std::string& stream, const TrialOptions& options);

}  // namespace sapbuf::soak
