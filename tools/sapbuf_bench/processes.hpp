// The processes of a run: pinned to cores where there are some, ended with their parent, heard of through pipes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace sapbuf::bench {

unsigned cores() noexcept;
// Of those that the program was given, counted from 0. Hints: where they are not allowed, the run is only noisier.
void pin_to(unsigned core) noexcept;
void unpin() noexcept;

// For a part of what the parent does: what it does next must not depend on what it did before.
class Pinned {
 public:
  explicit Pinned(unsigned core) noexcept { pin_to(core); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { unpin(); }
};

class Pipe {
 public:
  Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe();
  void send(std::uint64_t value) const;
  std::uint64_t receive() const;  // throws if nobody is there to send

 private:
  int ends_[2];
};

// What a child sends when it has opened what it needs, and what one that fails sends instead of its result.
inline constexpr std::uint64_t kReady = 1;
inline constexpr std::uint64_t kFailed = ~std::uint64_t{0};

// A child that runs `code` on a core (or on any) and ends; if `code` throws, it says why, and sends kFailed.
pid_t start(std::optional<unsigned> core, const Pipe& results, const std::function<void()>& code);
void wait_for_end(pid_t child) noexcept;

}  // namespace sapbuf::bench
