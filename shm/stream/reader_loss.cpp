#include "stream/reader_loss.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

void ReaderLoss::begin_behind(std::optional<std::uint64_t> messages, std::span<const Window> windows) noexcept {
  layout::StreamSlot& slot = attachment_.slot();
  if (slot.base_messages.load(relaxed) != 0 || !messages) return;
  std::uint64_t passed = 0;
  for (const Window& window : windows) passed += window.passed.messages;
  if (passed <= *messages) slot.base_messages.store(*messages - passed + 1, relaxed);
}

std::optional<std::uint64_t> ReaderLoss::messages_before(std::span<const Window> windows) const noexcept {
  const layout::StreamSlot& slot = attachment_.slot();
  const std::uint64_t base = slot.base_messages.load(relaxed);
  if (base == 0) return std::nullopt;
  std::uint64_t messages = base - 1 + passed_before_ + slot.lost.load(relaxed);
  for (const Window& window : windows) messages += window.passed.messages;
  return messages;
}

std::optional<std::uint64_t> ReaderLoss::missed_before() const noexcept {
  if (resumes_) return missed_;
  const std::uint64_t base = attachment_.slot().base_messages.load(relaxed);
  if (base == 0) return std::nullopt;
  return base - 1 + left_out_at_start_;
}

bool ReaderLoss::missed_any() const noexcept {
  if (const auto missed = missed_before()) return *missed != 0;
  return resumes_ || first_ > 1 || left_out_at_start_ != 0;
}

// lost = messages before the first window's generation, less those before our start, less those that we passed or know
// to be lost.
void ReaderLoss::account_for_gap(const Window& first) noexcept {
  if (first.generation == expected_) return;
  expected_ = first.generation;
  // count: stored before the generation before this one was reclaimed, which was seen (life, acquire).
  const std::uint64_t before =
      attachment_.core().descriptor(first.slab).messages_before.load(std::memory_order_acquire);
  layout::StreamSlot& slot = attachment_.slot();
  const std::uint64_t base = slot.base_messages.load(relaxed);
  if (base == 0) return;  // nobody counted them
  const std::uint64_t known = base + passed_before_ + slot.lost.load(relaxed);
  if (before > known) slot.lost.store(slot.lost.load(relaxed) + (before - known), relaxed);
}

}  // namespace SAPBUF_DETAIL
