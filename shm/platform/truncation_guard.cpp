#include "platform/truncation_guard.hpp"

#include <signal.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>

#include "platform/system_error.hpp"

namespace sapbuf::platform {

// One range, or none. Whoever touches a page keeps its range watched meanwhile, so the entry that the handler looks for
// does not change; others may while it reads them, and then they must not pass for it.
//   end     0: free; 1: being filled; otherwise behind the last byte
//   edge    `end` is 0 before `owner` and `begin` are stored (release) <-> the handler reads `end`, then those (acquire),
//           then `end` again: the same means that all three belong together
struct GuardedRangeEntry {
  std::atomic<std::uintptr_t> end{0};
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<TruncationTarget*> owner{nullptr};
};

namespace {

constexpr std::uintptr_t kFree = 0;
constexpr std::uintptr_t kBeingFilled = 1;
constexpr std::size_t kEntriesInBlock = 64;

static_assert(std::atomic<std::uintptr_t>::is_always_lock_free && std::atomic<TruncationTarget*>::is_always_lock_free,
              "the handler may interrupt anybody");

// Blocks are never freed: the handler may be reading one.
struct Block {
  std::array<GuardedRangeEntry, kEntriesInBlock> entries;
  Block* next = nullptr;
};

Block first_block;
std::atomic<Block*> blocks{&first_block};  // release when one is put in front, acquire by those who walk

bool take(GuardedRangeEntry& entry) noexcept {
  std::uintptr_t expected = kFree;
  return entry.end.compare_exchange_strong(expected, kBeingFilled, std::memory_order_acq_rel);
}

GuardedRangeEntry& take_any() {
  for (Block* block = blocks.load(std::memory_order_acquire); block != nullptr; block = block->next) {
    for (GuardedRangeEntry& entry : block->entries) {
      if (take(entry)) return entry;
    }
  }
  auto* const fresh = new Block;
  take(fresh->entries.front());
  fresh->next = blocks.load(std::memory_order_relaxed);
  while (!blocks.compare_exchange_weak(fresh->next, fresh, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return fresh->entries.front();
}

TruncationTarget* owner_of(std::uintptr_t address) noexcept {
  for (Block* block = blocks.load(std::memory_order_acquire); block != nullptr; block = block->next) {
    for (GuardedRangeEntry& entry : block->entries) {
      const std::uintptr_t end = entry.end.load(std::memory_order_acquire);
      if (address >= end) continue;
      const std::uintptr_t begin = entry.begin.load(std::memory_order_acquire);
      TruncationTarget* const owner = entry.owner.load(std::memory_order_acquire);
      if (address >= begin && entry.end.load(std::memory_order_relaxed) == end) return owner;
    }
  }
  return nullptr;
}

struct sigaction previous {};  // written before the handler is installed

// Whether the instruction that raised the signal is tried again when the handler returns.
bool comes_again(const siginfo_t& info) noexcept {
  return info.si_code == BUS_ADRERR || info.si_code == BUS_ADRALN || info.si_code == BUS_OBJERR ||
         info.si_code == BUS_MCEERR_AR;
}

void pass_on(int signal, siginfo_t* info, void* context) noexcept {
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  if (previous.sa_handler == SIG_IGN && !comes_again(*info)) return;
  // The system does the rest: at once where the instruction fails again, or when the signal is let through.
  ::sigaction(SIGBUS, &previous, nullptr);
  if (!comes_again(*info)) ::raise(signal);
}

void on_sigbus(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  // No other code means a page that is behind the end of its file.
  TruncationTarget* const owner =
      info->si_code == BUS_ADRERR ? owner_of(reinterpret_cast<std::uintptr_t>(info->si_addr)) : nullptr;
  const bool survived = owner != nullptr && owner->on_truncation();
  errno = saved;
  if (!survived) pass_on(signal, info, context);
}

void install() {
  struct sigaction action {};
  action.sa_sigaction = &on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(SIGBUS, nullptr, &previous) != 0 || ::sigaction(SIGBUS, &action, nullptr) != 0) {
    throw_system_error(errno, "cannot install a handler for SIGBUS");
  }
}

}  // namespace

void GuardedRange::watch(const void* begin, std::size_t bytes, TruncationTarget& owner) {
  forget();
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  GuardedRangeEntry& entry = take_any();
  entry.owner.store(&owner, std::memory_order_release);
  entry.begin.store(address, std::memory_order_release);
  entry.end.store(address + bytes, std::memory_order_release);
  entry_ = &entry;
}

void GuardedRange::forget() noexcept {
  if (entry_ != nullptr) entry_->end.store(kFree, std::memory_order_release);
  entry_ = nullptr;
}

void handle_sigbus() {
  static std::once_flag once;
  std::call_once(once, install);
}

}  // namespace sapbuf::platform
