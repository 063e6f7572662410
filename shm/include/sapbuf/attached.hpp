// Attaching a buffer of a pool to a message of a stream: what came of it.
#pragma once

#include <sapbuf/abi.hpp>
#include <sapbuf/status.hpp>

SAPBUF_BEGIN

class Buffer;

// Status::ok, or why the buffer was not attached. Unlike other statuses, it need not be looked at: for the first buffer of
// a reservation there is always room, and one that is not there, or in another segment, is a mistake of the caller's.
class Attached {
 public:
  Attached(Status status) noexcept : status_(status) {}

  explicit operator bool() const noexcept { return status_ == Status::ok; }
  operator Status() const noexcept { return status_; }
  Status status() const noexcept { return status_; }

 private:
  Status status_;
};

SAPBUF_END
