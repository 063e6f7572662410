// Repair: ending what dead participants had begun in the stream. Under the maintenance lock; every step repeatable.
//
// What a dead writer can leave, and how it is told apart (per-writer order | total order):
//
//   claim = claiming         space may be claimed without a trace: a hole. After the grace period, whatever is still
//   zero below the
//                            cursor belongs to the dead                                                      -> NOP
//   claim = located, open    extent with committed frames, and perhaps one that is not    -> ledger, rest to NOP,
//   closed
//                          | busy frame                                                   -> NOP
//   progress = busy          a reservation was open. Was its message committed? Yes if there is one frame more in the
//   extent than was
//                            counted | if the claimed frame is a message                  -> committed, else abandoned
#pragma once

#include "segment/facility.hpp"

namespace sapbuf::detail {

Facility stream_facility() noexcept;

}  // namespace sapbuf::detail
