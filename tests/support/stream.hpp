// The words of the stream's tests: every kind of stream, what calls throw, ledgers, chance; and with them messages, logs
// and memory.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <random>
#include <string>
#include <string_view>

#include <sapbuf/sapbuf.hpp>

#include "support/memory.hpp"
#include "support/message.hpp"

namespace sapbuf {

// So that a failed comparison says what was there.
std::ostream& operator<<(std::ostream& out, Order order);
std::ostream& operator<<(std::ostream& out, OnFull on_full);
std::ostream& operator<<(std::ostream& out, Fences fences);
std::ostream& operator<<(std::ostream& out, Status status);
std::ostream& operator<<(std::ostream& out, Errc code);
std::ostream& operator<<(std::ostream& out, Role role);
std::ostream& operator<<(std::ostream& out, Liveness liveness);
std::ostream& operator<<(std::ostream& out, From from);

}  // namespace sapbuf

namespace sapbuf::test {

inline const Order kOrders[] = {Order::per_writer, Order::total};
inline const OnFull kPolicies[] = {OnFull::block, OnFull::drop, OnFull::overwrite};

// What the call throws: its code, or its message. `nothing()` and "" if it throws no Error.
inline constexpr auto nothing() { return static_cast<Errc>(0); }
Errc error_of(const std::function<void()>& call);
std::string message_of(const std::function<void()>& call);

// A process that was killed and reaped has no memory any more; one that was only killed may be found out before.
inline bool is_proof_of_death(std::string_view proof) { return proof == "ofd-lock-free" || proof == "process-ended"; }

// The generation that the cursor is in.
inline std::uint64_t generation_of(const Segment& segment) { return inspect(segment).generation; }
// Its slot names a life that nobody has: whoever looks takes the participant for dead, and settles it. Throws if that
// was not so.
void declare_dead(const Segment& segment, std::uint32_t slot);
// The ledger of the participant in that slot.
Ledger ledger_of(const Segment& segment, std::uint32_t slot);

// --- Chance --------------------------------------------------------------------------------------------------------

// The same numbers at every run, unless SAPBUF_TEST_SEED says otherwise. Tests print it with what they find.
std::uint64_t base_seed();

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t word() { return engine_(); }
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

// A sanitizer takes all address space, and makes a process slow.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kUnderSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr bool kUnderSanitizer = true;
#else
inline constexpr bool kUnderSanitizer = false;
#endif
#else
inline constexpr bool kUnderSanitizer = false;
#endif

// Tests that repeat things repeat them less often there.
inline constexpr bool kSlow = kUnderSanitizer;

}  // namespace sapbuf::test
