#include "queue/dead_letters.hpp"

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "pool/figures.hpp"
#include "queue/pass.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

std::shared_ptr<QueueCore> dead_letters_of(QueueCore& queue) noexcept {
  if (queue.geometry().dead_letters.word == 0) return nullptr;
  try {
    std::shared_ptr<Facility> found = find_facility(queue.segment(), queue.geometry().dead_letters);
    if (found == nullptr || found->record().kind != layout::FacilityKind::queue) return nullptr;
    auto letters = std::static_pointer_cast<QueueCore>(std::move(found));
    return letters->pool_id() == queue.pool_id() ? letters : nullptr;
  } catch (const std::exception&) {
    return nullptr;
  }
}

}  // namespace

void note_delivery(QueueCore& queue, std::uint32_t block, std::uint32_t group, layout::BlockWord held,
                   std::uint32_t slot, HowEnded how) noexcept {
  const std::uint32_t notes = queue.geometry().notes;
  if (notes == 0 || held.deliveries() == 0) return;
  const std::uint32_t before = layout::AboutBlock{queue.entry(block).about.load(relaxed)}.notes();
  layout::DeliveryNote& note = queue.note(block, group, (before + held.deliveries() - 1) % notes);
  const layout::ParticipantSlot& who = queue.segment().participant(slot);
  note.how.store(who.pid.load(relaxed) << 32 | static_cast<std::uint8_t>(how), relaxed);
  note.at_ns.store(platform::coarse_wall_clock_ns(), relaxed);
  for (std::size_t word = 0; word < std::size(note.name); ++word) {
    note.name[word].store(who.name[word].load(relaxed), relaxed);
  }
}

void bury(QueueCore& queue, std::uint32_t block, std::uint32_t group, layout::BlockWord held,
          std::uint32_t owner) noexcept {
  count_figure(queue.slot(owner).dead_letters);
  if (const std::shared_ptr<QueueCore> letters = dead_letters_of(queue)) {
    const layout::AboutBlock about{queue.entry(block).about.load(relaxed)};
    if (pass_on(queue, block, owner, *letters, about)) return;
  }
  queue.state(block, group).store(held.with(layout::BlockState::dead).word, std::memory_order_release);
  SAPBUF_KILL_POINT(queue_buried);
}

}  // namespace SAPBUF_DETAIL
