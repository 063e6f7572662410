#include "participant.hpp"

namespace sapbuf::python {

Participant::Call::Call(Participant& participant) : participant_(participant) {
  participant_.check_ready();
  participant_.in_call_ = true;
}

Participant::Call::~Call() {
  participant_.in_call_ = false;
  participant_.dropped_.clear();
  if (participant_.closed_) participant_.detach();
}

Participant::Turn::Turn(Participant& participant) : participant_(participant) {
  participant_.check_not_forked();
  participant_.turns_.fetch_add(1, std::memory_order_relaxed);
  if (!participant_.waits_.load(std::memory_order_acquire)) return;
  participant_.stop_.store(true, std::memory_order_relaxed);
  without_gil([&] { participant_.waits_.wait(true, std::memory_order_acquire); });
}

Participant::Turn::~Turn() {
  if (participant_.turns_.fetch_sub(1, std::memory_order_relaxed) == 1) participant_.turns_.notify_all();
}

void Participant::let_turns_go_first() {
  while (const std::uint32_t turns = turns_.load(std::memory_order_relaxed)) {
    without_gil([&] { turns_.wait(turns, std::memory_order_relaxed); });
  }
}

void Participant::check_ready() const {
  check_not_forked();
  const auto this_one = [this] { return std::string{"this "} + what_; };
  if (closed_) raise("Closed", this_one() + " was closed");
  if (in_call_) raise("Busy", this_one() + " is used by another thread at this moment: make one for each thread");
}

void Participant::check_not_forked() const {
  if (epoch_ == fork_epoch()) return;
  raise("Forked",
        std::string{"this "} + what_ +
            " was inherited through fork and belongs to the parent process: open the segment again, and make a "
            "new one");
}

void Participant::close() {
  if (closed_) return;
  closed_ = true;
  stop_.store(true, std::memory_order_relaxed);
  if (!in_call_) detach();
}

}  // namespace sapbuf::python
