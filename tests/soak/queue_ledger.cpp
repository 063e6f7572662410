#include "soak/queue_ledger.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

#include "soak/clock.hpp"

namespace sapbuf::soak {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

// It runs no code any more.
bool is_gone(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(file, text)) return true;
  const std::size_t state = text.rfind(')') + 2;
  return state < text.size() && (text[state] == 'Z' || text[state] == 'X');
}

}  // namespace

// What the dead had may be handed out while the kernel is still at their memory.
void Workplace::enter(std::string_view what) {
  const pid_t before = worker_.exchange(::getpid());
  if (before == 0) return;
  for (const std::uint64_t until = now_ns() + kPatience; now_ns() < until; ::usleep(200)) {
    if (is_gone(before)) return;
    if (worker_.load() != ::getpid()) break;
  }
  throw std::runtime_error(fmt::format("{} is worked on by {}, who lives, and by another one", what, before));
}

void Workplace::leave(std::string_view what) {
  pid_t own = ::getpid();
  if (!worker_.compare_exchange_strong(own, 0)) {
    throw std::runtime_error(fmt::format("{} was taken from who works on it, by {}", what, own));
  }
}

std::size_t bytes_of_message(std::uint64_t number) noexcept { return 2 * kWord + number % 15 * kWord; }

void fill_message(std::span<std::byte> bytes, std::uint64_t number, MessageKind kind) noexcept {
  std::memcpy(bytes.data(), &number, kWord);
  const std::uint64_t word = kind == MessageKind::answer ? ~number : number;
  for (std::size_t at = kWord; at < bytes.size(); at += kWord) std::memcpy(&bytes[at], &word, kWord);
}

std::uint64_t number_of_message(const TakenBlock& block, bool may_be_half_answered) {
  const std::span<const std::byte> bytes = block.bytes();
  std::uint64_t number = 0;
  if (bytes.size() >= kWord) std::memcpy(&number, bytes.data(), kWord);
  if (number == 0 || number >= kMostMessages || bytes.size() != bytes_of_message(number)) {
    throw std::runtime_error(fmt::format("a block of {} bytes is nobody's message", bytes.size()));
  }
  const bool is_answer = block.type() == static_cast<std::uint16_t>(MessageKind::answer);
  for (std::size_t at = kWord; at < bytes.size(); at += kWord) {
    std::uint64_t word = 0;
    std::memcpy(&word, &bytes[at], kWord);
    if (word == (is_answer ? ~number : number) || (may_be_half_answered && word == ~number)) continue;
    throw std::runtime_error(fmt::format("message {} is torn", number));
  }
  return number;
}

}  // namespace sapbuf::soak
