#include "queue/figures.hpp"

#include "segment/departed.hpp"

namespace SAPBUF_DETAIL {

void add_to_departed(QueueCore& queue, std::uint32_t index) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  using Record = layout::DepartedParticipants;
  layout::QueueControl& control = queue.control();
  const layout::QueueSlot& own = queue.slot(index);
  const auto counted_in = [&](std::uint32_t slot) -> layout::Word& { return queue.slot(slot).counted; };
  const auto add_to = [&](const Record& from, Record& to) {
    const auto add = [&](layout::Word Record::*figure, const layout::Word& more) {
      (to.*figure).store((from.*figure).load(relaxed) + more.load(relaxed), relaxed);
    };
    add(&Record::ended, own.ended);
    add(&Record::pushed, own.pushed);
    add(&Record::taken, own.taken);
    add(&Record::redelivered, own.redelivered);
    add(&Record::put_back, own.put_back);
    add(&Record::passed, own.passed);
    add(&Record::dead_letters, own.dead_letters);
    add(&Record::dropped, own.dropped);
  };
  const Occupant who{index, queue.registration_of(index).incarnation() & Occupant::kIncarnation};
  add_departed(control.departed_selector, control.departed, queue.geometry().participants, who, counted_in, add_to);
}

}  // namespace SAPBUF_DETAIL
