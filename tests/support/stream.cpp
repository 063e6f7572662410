#include "support/stream.hpp"

#include <cstdlib>
#include <stdexcept>

#include "support/main_stream.hpp"

namespace sapbuf {

std::ostream& operator<<(std::ostream& out, Order order) { return out << to_string(order); }
std::ostream& operator<<(std::ostream& out, OnFull on_full) { return out << to_string(on_full); }
std::ostream& operator<<(std::ostream& out, Fences fences) {
  return out << (fences == Fences::full ? "full fences" : "membarrier");
}
std::ostream& operator<<(std::ostream& out, Status status) { return out << to_string(status); }
std::ostream& operator<<(std::ostream& out, Errc code) {
  return out << (code == test::nothing() ? "no error" : make_error_code(code).message());
}
std::ostream& operator<<(std::ostream& out, Role role) { return out << to_string(role); }
std::ostream& operator<<(std::ostream& out, Liveness liveness) { return out << to_string(liveness); }
std::ostream& operator<<(std::ostream& out, From from) {
  return out << (from == From::oldest ? "from oldest" : "from newest");
}

}  // namespace sapbuf

namespace sapbuf::test {

Errc error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.errc();
  }
  return nothing();
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

void declare_dead(const Segment& segment, std::uint32_t slot) {
  participant(segment, slot).life.store(layout::kLifeLocks + 1);
  if (recover(segment).dead.size() != 1) throw std::runtime_error("nobody was taken for dead");
}

Ledger ledger_of(const Segment& segment, std::uint32_t slot) {
  for (const ParticipantSnapshot& participant : inspect(segment).participants) {
    if (participant.slot == slot) return participant.ledger;
  }
  throw std::runtime_error("nobody is in slot " + std::to_string(slot));
}

// --- Chance --------------------------------------------------------------------------------------------------------

std::uint64_t base_seed() {
  const char* const text = std::getenv("SAPBUF_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 20240229;
}

}  // namespace sapbuf::test
