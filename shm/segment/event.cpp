#include "segment/event.hpp"

#include <sapbuf/detail/kill_point.hpp>

namespace SAPBUF_DETAIL {

// Visible: the inlined commit calls it, which declares it by itself (sapbuf/writer.hpp).
[[gnu::visibility("default")]] void wake_sleepers(layout::Event& event) noexcept {
  std::uint32_t seen = event.word.load(std::memory_order_relaxed);
  while ((seen & layout::Event::kAwaited) != 0) {
    if (!event.word.compare_exchange_weak(seen, seen + 1, std::memory_order_seq_cst, std::memory_order_relaxed))
      continue;
    SAPBUF_KILL_POINT(event_told);
    platform::futex_wake_all(event.word);
    return;
  }
}

}  // namespace SAPBUF_DETAIL
