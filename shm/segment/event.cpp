#include "segment/event.hpp"

namespace SAPBUF_DETAIL {

// Visible: the inlined commit calls it, which declares it by itself (sapbuf/writer.hpp).
[[gnu::visibility("default")]] void wake_sleepers(layout::Event& event) noexcept {
  if (event.sleepers.exchange(0, std::memory_order_seq_cst) == 0) return;
  event.sequence.fetch_add(1, std::memory_order_seq_cst);
  platform::futex_wake_all(event.sequence);
}

}  // namespace SAPBUF_DETAIL
