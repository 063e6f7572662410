// The processes of a run: pinned to cores where there are some, ended with their parent, heard of through pipes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

namespace sapbuf::bench {

unsigned cores() noexcept;
// A hint: where it is not allowed, the run is only noisier.
void pin_to(unsigned core) noexcept;

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

// What a child that fails sends instead of its result.
inline constexpr std::uint64_t kFailed = ~std::uint64_t{0};

// A child that runs `code` on a core and ends; if `code` throws, it says why, and sends kFailed.
pid_t start(unsigned core, const Pipe& results, const std::function<void()>& code);
void wait_for_end(pid_t child) noexcept;

}  // namespace sapbuf::bench
